"""Benchmarks of stitching: correctness, scale and memory."""
