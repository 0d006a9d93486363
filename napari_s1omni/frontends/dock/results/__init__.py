"""The list of finished results: read, shown, opened and removed."""
