"""Notebooks: a handle on a run that returns at once, and a live panel of it."""
