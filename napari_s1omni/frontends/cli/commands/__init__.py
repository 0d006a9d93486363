"""One module per command of ``s1omni``."""
