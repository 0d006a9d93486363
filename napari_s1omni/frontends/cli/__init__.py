"""The command line ``s1omni``."""
