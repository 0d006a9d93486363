"""Training stages of thinker and editor, and the loop they share."""
