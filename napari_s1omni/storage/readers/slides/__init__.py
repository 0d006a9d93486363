"""Whole slides that are no TIFF."""
