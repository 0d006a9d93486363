"""``s1omni bench`` for published benchmarks: of images, and of questions about them."""
