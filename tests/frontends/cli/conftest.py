"""The command line, and small images for it."""

from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from napari_s1omni.frontends.cli.main import main


@dataclass(frozen=True)
class Exit:
    """Exit code and output of a call of the command line."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line on standard error: the error message."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


@pytest.fixture
def s1omni(tmp_path, monkeypatch, capsys):
    """Call ``s1omni`` in this process, in the folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return Exit(end.value.code, said.out, said.err)

    return call


@pytest.fixture
def discs():
    """uint8 (96, 120): 12 bright discs of 16 px on a dark background, and their labels."""
    y, x = np.mgrid[:96, :120]
    labels = np.zeros((96, 120), np.uint32)
    for i in range(12):
        row, col = 16 + 32 * (i // 4), 15 + 30 * (i % 4)
        labels[(y - row) ** 2 + (x - col) ** 2 <= 64] = i + 1
    noise = np.random.default_rng(0).normal(0, 4, labels.shape)
    return np.clip(40 + 150 * (labels > 0) + noise, 0, 255).astype(np.uint8), labels


@pytest.fixture
def image(tmp_path, discs):
    """The discs as ``discs.png``."""
    Image.fromarray(discs[0]).save(tmp_path / "discs.png")
    return tmp_path / "discs.png"


@pytest.fixture
def small():
    """Options for four blocks of several tiles."""
    return ("--tile-size", 48, "--overlap", 16, "--block-size", 64, "--prompt", "segment the discs, about 16 px", "-q")
