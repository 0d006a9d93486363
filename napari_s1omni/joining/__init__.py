"""Joining tiles and blocks: blending, seam scores, stitching of labels."""
