"""What the scripts install is locked, and the lock says it to every machine alike."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("python-*.txt"))
TORCH = (ROOT / "requirements" / "torch.txt").read_text().splitlines()[-1]


def _shell(name):
    """Value of a variable of scripts/environment.sh."""
    return re.search(rf'^{name}="?([^"\n]+)', (ROOT / "scripts" / "environment.sh").read_text(), re.MULTILINE)[1]


def _pins(path):
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE))


def _declared(extra):
    """Requirements of setup.cfg for one extra, with those that it takes from others."""
    config = configparser.ConfigParser(interpolation=configparser.BasicInterpolation())
    config.read(ROOT / "setup.cfg")
    text = config["options.extras_require"][extra] if extra else config["options"]["install_requires"]
    return [Requirement(line) for line in text.split("\n") if line]


def test_every_python_has_its_lock():
    assert [path.stem.removeprefix("python-") for path in LOCKS] == _shell("LOCKED_PYTHONS").split()


@pytest.mark.parametrize("path", [*LOCKS, ROOT / "requirements" / "build.txt"], ids=lambda path: path.stem)
def test_a_lock_names_its_command_and_no_place(path):
    head, command, *lines = path.read_text().splitlines()
    assert command.startswith("#    uv pip compile ")
    assert all(re.match(r"[\w.-]+==[\w.!]+ +# via ", line) for line in lines)
    assert not re.search(r"://|--index|--find-links|file:|nvidia|cuda|triton", "\n".join([head, command, *lines]))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_torch_is_locked_by_its_public_version(path):
    assert f"torch=={_pins(path)['torch']}" == TORCH


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_holds_what_setup_cfg_asks_for(path):
    pins = _pins(path)
    python = {"python_version": path.stem.removeprefix("python-")}
    for extra in ["", *_shell("TEST_EXTRAS").split(",")]:
        for wanted in _declared(extra):
            if wanted.marker is not None and not wanted.marker.evaluate(python):
                continue
            name = canonicalize_name(wanted.name)
            assert name in pins, f"{name} is not locked; scripts/lock does it"
            assert wanted.specifier.contains(pins[name]), f"{name}=={pins[name]} is not what setup.cfg asks for"


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_what_builds_is_what_is_installed(path):
    """One pip may be told both files at once."""
    pins, building = _pins(path), _pins(ROOT / "requirements" / "build.txt")
    assert {name: pins[name] for name in building.keys() & pins.keys()}.items() <= building.items()


def test_another_version_is_reported(tmp_path):
    """A package that the lock does not know, or knows otherwise, is named, and the exit code is 1."""
    for name, version in (("Un_Locked", "1.0"), ("NumPy", "0.1+local")):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    isolated = [sys.executable, "-S", "-c", f"import sys, runpy; sys.path[:] = [{str(tmp_path)!r}, *sys.path[1:]]; "]
    isolated[-1] += f"runpy.run_path({str(ROOT / 'scripts' / 'locked.py')!r}, run_name='__main__')"
    done = subprocess.run(isolated, capture_output=True, text=True)
    numpy = _pins(ROOT / "requirements" / "python-{}.{}.txt".format(*sys.version_info))["numpy"]
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"numpy: locked {numpy}, installed 0.1",
        "un-locked: locked nowhere, installed 1.0",
    ]
