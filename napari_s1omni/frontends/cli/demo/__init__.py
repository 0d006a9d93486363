"""``s1omni demo``: the three operations on real images."""
