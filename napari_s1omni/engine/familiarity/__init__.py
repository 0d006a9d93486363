"""How like the images that an engine was trained on an image is, measured without the engine."""
