"""The tabs of the dock."""
