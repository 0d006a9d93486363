from __future__ import annotations

import pytest

from napari_s1omni.engine.s1omni import load
from napari_s1omni.engine.s1omni.checkpoint.model_store import MODELS
from napari_s1omni.testing.engine_tests import EngineTests


@pytest.fixture(scope="module")
def unet_engine(unet_folder):
    return load(str(unet_folder))


@pytest.fixture(scope="module")
def mmdit_engine(mmdit_folder):
    return load(str(mmdit_folder))


@pytest.fixture(scope="module")
def nano_engine():
    return load("nano")


class TestTinyUNet(EngineTests):
    tile = 32

    @pytest.fixture
    def engine(self, unet_engine):
        return unet_engine

    @pytest.fixture
    def fresh_engine(self, unet_folder):
        return load(str(unet_folder))


class TestTinyMmdit(EngineTests):
    tile = 32

    @pytest.fixture
    def engine(self, mmdit_engine):
        return mmdit_engine

    @pytest.fixture
    def fresh_engine(self, mmdit_folder):
        return load(str(mmdit_folder))


@pytest.mark.skipif(not MODELS["nano"].present, reason="the bundled weights of nano are not here")
class TestNano(EngineTests):
    tile = 64

    @pytest.fixture
    def engine(self, nano_engine):
        return nano_engine

    @pytest.fixture
    def fresh_engine(self):
        return load("nano")
