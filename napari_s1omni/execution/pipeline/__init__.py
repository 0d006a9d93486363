"""The way of one block: read, think, generate, join, write."""
