"""Damaged files: what reading them does."""
