"""The measurements in nano's model card."""
