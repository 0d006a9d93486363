"""Augmentation: how one image varies between microscopes, laboratories and files."""
