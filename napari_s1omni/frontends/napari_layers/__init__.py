"""Between napari layers and jobs: layer metadata, transforms, readers, sample data."""
