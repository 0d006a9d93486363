"""Previews: a few tiles of a job, computed in a process of their own."""
