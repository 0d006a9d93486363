"""``s1omni demo``: the three operations on real images, and a figure of the results."""
