"""What the commands of ``s1omni bench`` measure."""
