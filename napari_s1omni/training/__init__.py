"""Training of the bundled checkpoint."""
