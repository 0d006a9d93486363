"""Append-only logs of a run: journal, thoughts, pyramid."""
