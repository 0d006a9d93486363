"""Batches: samples as tensors, and how they reach the training loop."""
