"""Where results go, and those that are finished."""
