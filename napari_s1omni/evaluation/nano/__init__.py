"""The measurements and tables of nano's model card."""
