"""One module per file format: what is in a file, as an image that is read lazily."""
