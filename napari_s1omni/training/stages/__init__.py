"""The training stages of thinker and editor, and what they share."""
