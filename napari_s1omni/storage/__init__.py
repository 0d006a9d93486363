"""Images on disk: sources are read lazily, results are written as durable OME-Zarr."""
