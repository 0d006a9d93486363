"""The pipeline of a block: read, think, generate, join, write."""
