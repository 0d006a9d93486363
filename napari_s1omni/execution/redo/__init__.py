"""Tiles of a finished result that are drawn again, and the log of what was drawn again."""
