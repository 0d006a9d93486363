"""Benchmarks: the measurements behind ``s1omni bench``."""
