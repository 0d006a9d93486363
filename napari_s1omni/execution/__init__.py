"""Runs plans: one pipeline for blocks, executors around it, and the stitching pass after it."""
