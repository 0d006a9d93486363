"""Drawn tiles that several blocks need."""
