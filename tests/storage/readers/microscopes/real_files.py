"""Where real files of microscopes lie."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("S1OMNI_DATA", Path(__file__).parents[5] / "shared" / "data")) / "microscopes"
needs_files = pytest.mark.skipif(not DATA.is_dir(), reason=f"no files of microscopes at {DATA}; set S1OMNI_DATA")
