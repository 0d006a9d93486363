"""The diagrams of docs/architecture.md agree with the code."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from napari_s1omni.execution.run.run_state import TRANSITIONS, RunState

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")


def diagram(name):
    """Lines of the indented block after the marker of a diagram."""
    _, _, rest = PAGE.partition(f"<!-- diagram: {name} -->")
    return re.match(r"\s*\n((?:    .+\n)+)", rest)[1].splitlines()


STEPS = [re.match(r"\s+([\w.]+):([\w.]+)\s+-> ([\w.]+):([\w.]+)", line).groups() for line in diagram("tile")]


def test_packages_are_those_of_the_import_contract():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    shown = [re.match(r"\s+([\w.]+(?: \| [\w.]+)*)", line)[1] for line in diagram("packages")]
    assert shown == [layer for layer in contract["layers"] if not layer.startswith("(")]


def test_every_package_is_a_layer():
    layers = {
        name.split(".")[0]
        for line in diagram("packages")
        for name in re.match(r"\s+([\w.| ]+?)(  |$)", line)[1].split(" | ")
    }
    parts = {
        path.stem
        for path in (ROOT / "napari_s1omni").iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    }
    assert layers == parts - {"__init__", "__main__"}


def defined(module, name):
    """The definition of a class, function or method, found without importing it."""
    path = (ROOT / "napari_s1omni").joinpath(*module.split("."))
    tree = ast.parse((path.with_suffix(".py") if not path.is_dir() else path / "__init__.py").read_text("utf-8"))
    for part in name.split("."):
        tree = next(node for node in tree.body if getattr(node, "name", None) == part)
    return tree


def names_used(node):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {
        n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)
    }


@pytest.mark.parametrize(("module", "name", "used_module", "used"), STEPS, ids=lambda value: value)
def test_each_step_of_a_tile_exists_and_uses_the_next(module, name, used_module, used):
    owner = defined(module, name)
    assert defined(used_module, used)
    # A method may hand the work to another method of its class.
    scope = owner if isinstance(owner, ast.ClassDef) else defined(module, name.split(".")[0])
    assert used.split(".")[-1] in names_used(scope)


def test_states_follow_each_other_as_drawn():
    drawn = {}
    for line in diagram("run"):
        state, _, following = line.partition("->")
        drawn[RunState(state.strip())] = {RunState(word.strip()) for word in following.split(",")}
    assert drawn == {state: set(following) - {state} for state, following in TRANSITIONS.items()}
