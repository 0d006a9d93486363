"""The life of a run: launch, control, status, events, redo, preview."""
