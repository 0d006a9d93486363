"""Checkpoint folders: where they are, what they contain, and how modules are loaded from them."""
