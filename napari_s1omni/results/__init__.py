"""Finished and unfinished results: arrays, tables of objects, reports."""
