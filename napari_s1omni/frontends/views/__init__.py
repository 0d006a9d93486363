"""Views of a result while it is computed: its pyramid, the state of its tiles, and their colours."""
