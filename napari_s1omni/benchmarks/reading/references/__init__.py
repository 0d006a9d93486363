"""Reference readers: what the library of a format says of a file, without this package."""
