"""Between napari layers and jobs: sources, transforms, the reader and sample data."""
