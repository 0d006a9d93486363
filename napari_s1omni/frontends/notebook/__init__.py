"""Notebooks: jobs that return at once, and a live panel for each."""
