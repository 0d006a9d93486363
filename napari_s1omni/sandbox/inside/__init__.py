"""The confined process. It imports the standard library, numpy and itself; the host binds this folder read-only."""
