"""The dock in napari; only this package imports Qt."""
