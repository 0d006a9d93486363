"""Requests for segmentation in words: what they name, what they leave out, and what nobody reads."""
