"""Tiny checkpoints in the released layout, written by plain safetensors calls."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_checkpoints import mmdit_parts, taught_backbone, tiny_tokenizer, unet_parts, write_folder


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return tiny_tokenizer()


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny thinker; one of the processes of tests teaches it, for all of them."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / "taught.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return taught_backbone(shared / "taught.pt")


@pytest.fixture(scope="session")
def unet_folder(tmp_path_factory: pytest.TempPathFactory, backbone: Any) -> Path:
    folder = tmp_path_factory.mktemp("unet")
    return write_folder(folder, backbone, *unet_parts(), named_family=False)


@pytest.fixture(scope="session")
def mmdit_folder(tmp_path_factory: pytest.TempPathFactory, backbone: Any) -> Path:
    folder = tmp_path_factory.mktemp("mmdit")
    return write_folder(folder, backbone, *mmdit_parts(), named_family=True)


@pytest.fixture
def copy_of(tmp_path: Path):
    """Copy a checkpoint folder and change keys of its configuration."""

    def copy(folder: Path, **changes: Any) -> Path:
        target = tmp_path / f"copy{len(list(tmp_path.iterdir()))}"
        target.mkdir()
        for file in folder.iterdir():
            (target / file.name).write_bytes(file.read_bytes())
        path = target / "s1_omni_image_config.json"
        config = json.loads(path.read_text())
        for key, value in changes.items():
            config[key] = {**config.get(key, {}), **value} if isinstance(value, dict) else value
        path.write_text(json.dumps(config))
        return target

    return copy


@pytest.fixture(scope="session")
def tiles() -> np.ndarray:
    """Four tiles of 32 px: empty, noise, a ramp, noise again."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, 32, dtype=np.float32)[None, None, :].repeat(3, 0).repeat(32, 1)
    noise = [rng.random((3, 32, 32), dtype=np.float32) for _ in range(2)]
    return np.stack([np.zeros((3, 32, 32), np.float32), noise[0], ramp, noise[1]])
