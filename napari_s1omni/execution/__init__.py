"""Running a plan: one function for a block, executors around it, the stitching pass after it."""
