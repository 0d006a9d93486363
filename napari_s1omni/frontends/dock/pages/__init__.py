"""The tabs of the dock, and the table of measurements."""
