"""The dock in napari: the only place that imports Qt."""
