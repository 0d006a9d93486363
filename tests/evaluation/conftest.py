"""Pieces of published benchmarks, where the folder of data is there."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("S1OMNI_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture
def pieces():
    if not (DATA / "benchmarks/letters.json").is_file():
        pytest.skip(f"no pieces of published benchmarks in {DATA}; set S1OMNI_DATA")
    return DATA / "benchmarks"
