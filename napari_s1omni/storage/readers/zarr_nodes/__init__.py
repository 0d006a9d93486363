"""Arrays and groups of a Zarr store as they are stored: their documents, chunk keys and pixels."""
