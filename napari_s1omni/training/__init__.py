"""Training of the bundled checkpoint."""

from __future__ import annotations

from napari_s1omni.settings import let_threads_sleep

# Read once, when a module below loads torch.
let_threads_sleep()
