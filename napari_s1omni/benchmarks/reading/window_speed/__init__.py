"""How fast windows of each format are read, and files listed, against the library of the format alone."""
