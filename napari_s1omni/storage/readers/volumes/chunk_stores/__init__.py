"""Arrays that are folders of chunks, or lie behind a URL: N5 and precomputed."""
