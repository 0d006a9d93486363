"""What the tags and descriptions of a TIFF say about its pixels."""
