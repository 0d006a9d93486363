"""Results as files of other programs: OME-TIFF, GeoJSON, ImageJ ROIs."""
