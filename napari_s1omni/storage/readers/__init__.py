"""One module per image format: each reads the metadata of a file and gives lazy access to its pixels."""
