"""The OME-Zarr image that labels are written into."""
