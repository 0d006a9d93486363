"""``python -m napari_s1omni`` is ``s1omni``."""

from __future__ import annotations

from napari_s1omni.frontends.cli.main import main

if __name__ == "__main__":
    main()
