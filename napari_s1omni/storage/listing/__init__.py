"""Lists of images: found in folders and by patterns, in plates, and in files; and their names."""
