from __future__ import annotations

from typing import ClassVar

import pytest

from napari_s1omni.engine.registry import create_engine
from napari_s1omni.testing.engine_tests import EngineTests


class TestReference(EngineTests):
    tile = 96
    requests: ClassVar[dict[str, str]] = {**EngineTests.requests, "modality_translation": "draw the hematoxylin stain"}

    @pytest.fixture
    def engine(self):
        return create_engine("reference")

    @pytest.fixture
    def fresh_engine(self):
        return create_engine("reference")
