"""Where a run writes its blocks: the protocol, and sinks that need no disk."""
