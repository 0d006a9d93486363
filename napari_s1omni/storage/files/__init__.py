"""Durable file system calls: fsync, atomic replacement, and the zarr store built on them."""
