"""Parts of an image to run: boxes, polygons and masks."""
