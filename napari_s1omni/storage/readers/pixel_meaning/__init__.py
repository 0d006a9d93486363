"""What stored numbers mean: colour spaces, palettes and orientation, alike in every format."""
