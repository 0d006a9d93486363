"""The output store: a durable OME-Zarr image with its pyramid, labels and provenance."""
