"""The stitching pass: labels of blocks become labels of the whole result."""
