"""Whether a file is read as its own reference reader reads it."""
