"""Joining tiles and blocks: blending, seam scores, labels across blocks."""
