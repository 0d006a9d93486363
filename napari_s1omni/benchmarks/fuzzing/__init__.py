"""Damaged files: reading them gives an error of this package, the right image, or a note."""
