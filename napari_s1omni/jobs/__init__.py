"""A job from its document to its result: prepare, dry run, run, redo, batch."""
