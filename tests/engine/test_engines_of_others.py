"""Engines that other packages register: the one of docs/engines.md as an installed package, and broken ones."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import napari_s1omni

PAGE = Path(__file__).parents[2] / "docs/engines.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.S)


def install(site: Path, project: dict, modules: dict[str, str]) -> None:
    """Do what pip does for a package without dependencies: its modules, and a folder that describes it."""
    name, version = project["name"], project["version"]
    described = site / f"{name.replace('-', '_')}-{version}.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    points = {
        group: "\n".join(f"{k} = {v}" for k, v in each.items()) for group, each in project["entry-points"].items()
    }
    (described / "entry_points.txt").write_text("".join(f"[{group}]\n{lines}\n" for group, lines in points.items()))
    for module, code in modules.items():
        (site / f"{module}.py").write_text(code)


def register(site: Path, package: str, engine: str, code: str) -> None:
    module = package.replace("-", "_")
    points = {"napari_s1omni.engines": {engine: module}}
    install(site, {"name": package, "version": "2.0", "entry-points": points}, {module: code})


@pytest.fixture
def site(tmp_path):
    """A folder of installed packages with the engine of the page."""
    (pyproject,) = blocks("toml")
    data = tomllib.loads(pyproject)
    (module,) = data["tool"]["setuptools"]["py-modules"]
    engine, test = blocks("python")
    install(tmp_path / "site", data["project"], {module: engine})
    (tmp_path / f"test_{module}.py").write_text(test)
    return tmp_path / "site"


def run(site: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), str(Path(napari_s1omni.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    changed = {**os.environ, "PYTHONPATH": path, **environment}
    return subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, env=changed, cwd=site.parent
    )


def listed(site: Path, **environment: str) -> dict:
    done = run(site, "napari_s1omni", "engines", "--json", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def discs() -> np.ndarray:
    rows, cols = np.mgrid[:200, :200]
    image = np.full((200, 200), 100, np.uint16)
    for y, x in ((40, 40), (40, 120), (110, 70), (150, 150)):
        image[np.hypot(rows - y, cols - x) < 14] = 3000
    return image


def test_the_engine_of_the_page_segments(site, tmp_path):
    plain = run(site, "napari_s1omni", "engines", "threshold")
    assert "pixels above a threshold" in plain.stdout, plain.stderr
    np.save(tmp_path / "discs.npy", discs())
    done = run(site, "napari_s1omni", "segment", "discs.npy", "out.zarr", "--engine", "threshold", "--tile-size", "128")
    assert done.returncode == 0, done.stderr
    result = napari_s1omni.attach(tmp_path / "out.zarr").result
    assert result.plan.engine.name == "threshold"
    labels = np.asarray(result.array[...])
    assert labels.max() == 4
    assert ((labels > 0) == (discs() > 1000)).mean() > 0.999


@pytest.mark.slow
def test_the_engine_of_the_page_passes_the_suite(site, tmp_path):
    (test,) = tmp_path.glob("test_*.py")
    done = run(site, "pytest", "-q", "-p", "no:cacheprovider", str(test))
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_auto_prefers_it_only_if_told(site):
    assert "threshold" not in listed(site, S1OMNI_AUTO="")["auto"].values()
    chosen = listed(site, S1OMNI_AUTO="threshold")["auto"]
    assert chosen["segmentation"] == "threshold"
    assert chosen["super_resolution"] != "threshold"


DESCRIBE = """
from napari_s1omni.engine.description import EngineDescription
def describe(name):
    return {}
def load(name, **settings):
    return object()
"""
OTHER_NAME = 'EngineDescription(name="other", revision="1", operations=("segmentation",))'
BROKEN = {
    "missing": ("import a_library_that_is_missing", r"needs the module 'a_library_that_is_missing'.* missing-pkg 2\.0"),
    "raising": ("raise RuntimeError('no licence')", r"failed with RuntimeError: no licence.* raising-pkg 2\.0"),
    "empty": ("", r"has no function describe\(\)"),
    "failing": (DESCRIBE.format("1 / 0"), r"describe\(\) failed with ZeroDivisionError"),
    "untyped": (DESCRIBE.format("{'name': name}"), r"describe\(\) returned dict, not EngineDescription"),
    "misnamed": (DESCRIBE.format(OTHER_NAME), r"description of an engine named 'other'"),
}
"""Engine name -> code of its module, and its error."""


def test_broken_engines_are_listed_and_break_nothing(site):
    for name, (code, _) in BROKEN.items():
        register(site, f"{name}-pkg", name, code)
    found = listed(site)
    for name, (_, error) in BROKEN.items():
        assert re.search(error, found["engines"][name]["missing"]), found["engines"][name]
    assert found["engines"]["threshold"]["revision"] == "1"
    assert found["engines"]["reference"]["tile_size"] == 256
    assert set(found["auto"]) == {"segmentation", "super_resolution", "modality_translation"}
    done = run(site, "napari_s1omni", "engines", "failing")
    assert done.returncode == 69
    assert "Update or uninstall failing-pkg 2.0" in " ".join(done.stderr.split())


def test_an_engine_that_does_not_load_says_whose_it_is(site, tmp_path):
    right = 'EngineDescription(name=name, revision="1", operations=("segmentation",))'
    register(site, "unfinished-pkg", "unfinished", DESCRIBE.format(right))
    np.save(tmp_path / "discs.npy", discs())
    done = run(site, "napari_s1omni", "segment", "discs.npy", "out.zarr", "--engine", "unfinished")
    assert done.returncode == 69
    assert "'unfinished' of unfinished-pkg 2.0 is broken: load() returned object" in " ".join(done.stderr.split())


def test_names_that_are_taken(site):
    """The built-in engine keeps its name; of two packages with one name, neither is chosen silently."""
    register(site, "greedy", "reference", DESCRIBE.format("1 / 0"))
    register(site, "vague", "auto", DESCRIBE.format("1 / 0"))
    register(site, "another", "threshold", DESCRIBE.format("1 / 0"))
    found = listed(site)
    assert found["engines"]["reference"]["tile_size"] == 256
    clash = found["engines"]["reference (greedy 2.0)"]["missing"]
    assert "greedy 2.0 registers an engine named 'reference', a name of napari_s1omni itself" in clash
    assert "auto (vague 2.0)" in found["engines"]
    both = found["engines"]["threshold"]["missing"]
    assert "is registered by another 2.0 and by s1omni-threshold 1.0" in both
    assert "uninstall or rename one of them" in both.casefold()
