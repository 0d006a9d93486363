"""A machine without a part of the confinement: taken away by a filter of system calls, or by a path without the program."""

import json
import os
import subprocess
import sys

import pytest

from napari_s1omni.errors import SandboxMissing
from napari_s1omni.sandbox import launch
from napari_s1omni.sandbox.launch import missing
from napari_s1omni.sandbox.opening import open_kernel

WITHOUT = """
import ctypes, os, struct, sys
from napari_s1omni.sandbox.inside import lock
machine = lock.MACHINES[os.uname().machine]
ENOSYS, EPERM, ALLOW = 0x50026, 0x50001, 0x7FFF0000
lines = [(0x20, 0, 0, 0)]
def refuse(number, answer):
    lines.extend([(0x15, 0, 1, number), (6, 0, 0, answer)])
what = sys.argv[1]
if what == "landlock": refuse(444, ENOSYS)
if what == "seccomp": refuse(lock._SECCOMP[os.uname().machine], ENOSYS)
if what == "namespaces":
    refuse(machine.refused["unshare"], EPERM)
    lines.extend(lock._when(machine.clone, 0, [(0x45, 0, 1, 0x10000000), (6, 0, 0, EPERM)]))
lines.append((6, 0, 0, ALLOW))
code = b"".join(struct.pack("<HBBI", *line) for line in lines)
buffer = ctypes.create_string_buffer(code, len(code))
described = struct.pack("<HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
lock._libc.prctl(38, ctypes.c_ulong(1), 0, 0, 0)
assert lock._libc.syscall(lock._SECCOMP[os.uname().machine], 1, 1, described) == 0
os.execv(sys.executable, [sys.executable, "-m", "napari_s1omni", *sys.argv[2:]])
"""


def command(without, *words, path=None):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, without, *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **({"PATH": path} if path is not None else {})},
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def with_everything():
    if lacking := missing("bubblewrap"):
        pytest.skip(lacking)
    code, facts, said = command("nothing", "sandbox", "--json")
    assert code == 0, said
    if not facts["backends"]["bubblewrap"]["works"]:
        pytest.skip(facts["backends"]["bubblewrap"]["problem"])
    return facts


def test_the_command_tells_all(with_everything):
    assert with_everything["backend"] == "bubblewrap"
    for backend in with_everything["backends"].values():
        assert backend["works"]
        assert len(backend["probes"]) == 8
        assert all(probe["held"] and probe["said"] for probe in backend["probes"].values())
    assert with_everything["limits"]["memory"] == 2**30


@pytest.mark.parametrize("part", ["landlock", "seccomp"])
def test_without_landlock_or_seccomp_no_code_is_run(part, with_everything):
    code, facts, said = command(part, "sandbox", "--json")
    assert code == 69
    assert not facts["usable"]
    for backend in facts["backends"].values():
        assert part in backend["problem"].lower()
    assert "code of a model is not run on this machine" in said
    assert "pictures alone" in said


def test_without_bubblewrap_the_rest_confines(with_everything, tmp_path):
    code, facts, _ = command("nothing", "sandbox", "--json", path=str(tmp_path))
    assert (code, facts["backend"]) == (0, "landlock")
    assert "install the package 'bubblewrap'" in facts["backends"]["bubblewrap"]["problem"]
    code, facts, said = command("nothing", "sandbox", "--backend", "bubblewrap", "--json", path=str(tmp_path))
    assert (code, facts["usable"]) == (69, False)


def test_without_user_namespaces_the_rest_confines(with_everything):
    code, facts, _ = command("namespaces", "sandbox", "--json")
    assert (code, facts["backend"]) == (0, "landlock")
    assert "did not start" in facts["backends"]["bubblewrap"]["problem"]


@pytest.mark.parametrize("lacks", ["system", "machine"])
def test_other_systems_and_processors_are_refused_in_words(lacks, monkeypatch):
    if lacks == "system":
        monkeypatch.setattr(launch, "can_confine", lambda: False)
    else:
        monkeypatch.setattr(launch, "machine", lambda: "riscv64")
    with pytest.raises(SandboxMissing, match="can be confined on") as caught:
        open_kernel(libraries=("numpy",))
    assert set(caught.value.facts["reasons"]) == {"bubblewrap", "landlock"}
