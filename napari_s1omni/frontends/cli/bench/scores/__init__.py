"""``s1omni bench``: scores of masks and images against annotations."""
