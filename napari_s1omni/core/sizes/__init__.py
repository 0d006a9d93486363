"""Sizes as people write them: units of length, numbers, and the object size that a request states in words."""
