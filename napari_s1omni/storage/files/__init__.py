"""Durable file system calls: fsync, atomic replace, a zarr store on top of them."""
