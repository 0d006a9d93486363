"""Somebody else on the machine, whom confined code would like to reach."""

import contextlib
import dataclasses
import json
import os
import platform
import subprocess
import sys
import time
from importlib import util
from pathlib import Path

import pytest
from attacks import NATIVE

from napari_s1omni.sandbox.launch import missing
from napari_s1omni.sandbox.opening import open_kernel
from napari_s1omni.sandbox.policy import Limits

SECRET = "marmalade-4711"
VICTIM = """
import ctypes, json, os, socket, sys
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(2**64 - 1), 0, 0, 0)
memory = ctypes.create_string_buffer(b"kept in memory")
tcp = socket.create_server(("127.0.0.1", 0))
paths = []
for name in (sys.argv[1], "\\0" + sys.argv[2]):
    paths.append(socket.socket(socket.AF_UNIX))
    paths[-1].bind(name)
    paths[-1].listen(9)
print(json.dumps({"pid": os.getpid(), "port": tcp.getsockname()[1], "address": ctypes.addressof(memory), "length": len(memory)}), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """The user's home, for the length of the tests: with a key in it, and a time when it was last read."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "key").write_text(f"secret key {SECRET}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def told(home, tmp_path_factory):
    """What an attacker knows: paths, numbers and addresses of a process of the same user, and a file to inherit."""
    place = tmp_path_factory.mktemp("p")
    abstract = f"s1omni-{os.getpid()}"
    process = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(place / "u"), abstract],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "SECRET": SECRET},
    )
    descriptor = os.open(home / "key", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    site = Path(util.find_spec("numpy").origin).parents[1]
    facts = {
        **json.loads(process.stdout.readline()),
        **{"key": str(home / "key"), "home": str(home), "secret": SECRET, "in_tmp": place.parent.name},
        **{"unix": str(place / "u"), "abstract": abstract, "machine": platform.machine(), "beside": str(home / "hard")},
        **{"packages": [str(site), str(home)], "witness": str(place / "witness"), "descriptor": descriptor},
        **{"shared": util.find_spec("numpy").origin, "times": True, "patience": 20, "crash": "segfault"},
        "native": {name: code for name, code in NATIVE.get(platform.machine(), {}).items() if name == "socket"},
    }
    yield facts
    os.close(descriptor)
    process.stdin.close()
    process.stdout.close()
    assert process.wait(20) == 0, "the process outside was harmed"


@pytest.fixture(scope="session")
def open_kernels(home):
    """Kernels by backend and limits, numpy only, each opened once."""
    with contextlib.ExitStack() as closing:
        kept = {}

        def get(backend, **limits):
            if lacking := missing(backend):
                pytest.skip(lacking)
            given = Limits(**{"cell_seconds": 2.0, "grace_seconds": 0.5, **limits})
            key = backend, dataclasses.astuple(given)
            if key not in kept:
                kept[key] = open_kernel(given, ("numpy",), backend)
                closing.callback(kept[key].close)
            return kept[key]

        yield get


@pytest.fixture
def until():
    """Wait for a condition, 30 s at most."""

    def wait(condition):
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.02)

    return wait
