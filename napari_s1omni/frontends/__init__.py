"""Surfaces that people touch: command line, napari dock, notebook panel."""
