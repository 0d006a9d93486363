"""Synthetic sources: images of any size with known objects, computed where they are read.

``synthetic://nuclei?shape=64,4096,4096&seed=1&diameter=20`` is an image that any
process can open. Every pixel is a function of its absolute position and the
seed, so any box equals the crop of the whole. ``synthetic://nuclei-labels`` with
the same settings holds the true objects, with ids from 1.

Objects are placed on a grid, one per cell, and moved, stretched and rotated at
random. Where two overlap, a pixel belongs to the one whose centre is relatively
closer. ``nuclei`` are mostly apart and some cells stay empty; ``ellipses`` are
crowded, and most touch several others.
"""
