"""Commands of asking a model about an image: one module each."""
