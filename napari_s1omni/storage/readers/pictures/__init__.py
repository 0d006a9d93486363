"""Read pictures: PNG, JPEG and others."""
