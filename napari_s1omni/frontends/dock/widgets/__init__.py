"""Widgets that the pages of the dock are built from."""
