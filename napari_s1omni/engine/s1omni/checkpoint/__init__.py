"""Checkpoint folders: where they are, what they contain, and the modules made of them."""
