"""What a viewer draws of a result that is still being made."""
