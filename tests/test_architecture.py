"""The house stands as its documents say: paths exist, files stay short, heavy libraries stay where they belong."""

import ast
import collections
import re
import statistics
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "napari_s1omni"
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
CEILING = 400
"""Lines of the longest file."""
MEDIAN = 110
"""Lines of the median file."""
ROOM = 15
"""Modules in one folder."""

HOMES = {
    # The ablation exchanges the states inside a model; what a GPU costs is timed on its networks, choosing tokens without.
    "torch": ("engine/s1omni", "training", "benchmarks/gpu", "benchmarks/thinking", "evaluation/ablation"),
    "transformers": ("engine/s1omni", "training"),
    "diffusers": ("engine/s1omni", "training"),
    # The readers are checked against what others write and read, without the readers' own code.
    "zarr": ("storage", "benchmarks/reading"),
    # Benchmarks start other frameworks, and a real window, as their users do.
    "distributed": ("execution/executors", "benchmarks/durability/other_frameworks"),
    "qtpy": ("frontends/dock", "benchmarks/napari_window"),
    "napari": ("frontends/dock", "frontends/napari_layers", "benchmarks/napari_window"),
    # What only some operating systems have, and what stands in for it.
    "httpx": ("endpoint",),
    **dict.fromkeys(("fcntl", "filelock", "grp", "msvcrt", "psutil", "pwd", "termios", "winreg"), ("system",)),
    # The confined process sees nothing of the package but its own folder, and locks itself.
    **dict.fromkeys(("ctypes", "resource", "signal"), ("system", "sandbox/inside")),
    "typer": ("frontends/cli",),
    "rich": ("frontends/cli",),
}
"""Library -> folders of the package that may import it."""

PATH = re.compile(
    r"`((?:napari_s1omni|tests|scripts|docs|notebooks|workflows|\.ci)/[\w./-]*[\w/]"
    r"|(?:setup\.cfg|pyproject\.toml|constraints\.txt|LICENSE|CHANGELOG\.md|README\.md))`"
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def modules():
    return sorted(p for p in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_paths_in_documents_exist(document):
    text = document.read_text(encoding="utf-8")
    named = {ROOT / path for path in PATH.findall(text)} | {document.parent / path for path in LINK.findall(text)}
    assert not [str(p.relative_to(ROOT)) for p in named if not p.exists()]


def test_files_stay_short():
    long = {str(p.relative_to(ROOT)): n for p in modules() if (n := len(p.read_text("utf-8").splitlines())) > CEILING}
    assert not long


def test_half_of_the_files_are_shorter():
    assert statistics.median(len(p.read_text("utf-8").splitlines()) for p in modules()) <= MEDIAN


def test_folders_stay_small():
    counts = collections.Counter(p.parent for p in modules() if p.name != "__init__.py")
    assert not {str(folder.relative_to(ROOT)): n for folder, n in counts.items() if n > ROOM}


@pytest.mark.parametrize("library", HOMES)
def test_libraries_stay_at_home(library):
    strangers = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        if library in imported(path)
        and not any(path.with_suffix("").is_relative_to(PACKAGE / home) for home in HOMES[library])
    ]
    assert not strangers


OF_ONE_SYSTEM = {
    "os": {
        *(
            "name",
            "uname",
            "fork",
            "kill",
            "killpg",
            "nice",
            "setpriority",
            "getpriority",
            "setsid",
            "fsync",
            "cpu_count",
        ),
        *("getuid", "geteuid", "getgid", "getloadavg", "sched_getaffinity", "sched_setaffinity", "process_cpu_count"),
    },
    "sys": {"platform", "getwindowsversion"},
    "platform": {"system", "uname", "machine", "platform", "release", "version"},
}
"""Module of Python -> what in it asks for the operating system, or is there in some only."""
THE_ENVIRONMENT = {"os": {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}}


@pytest.mark.parametrize(
    ("names", "home"), [(OF_ONE_SYSTEM, "system"), (THE_ENVIRONMENT, "settings")], ids=["system", "environment"]
)
def test_one_place_asks_for_system_and_environment(names, home):
    strangers = {
        str(path.relative_to(PACKAGE)): sorted(found)
        for path in modules()
        if (found := used(path, names)) and not path.with_suffix("").is_relative_to(PACKAGE / home)
    }
    assert not strangers


def used(path: Path, names: dict[str, set[str]]) -> set[str]:
    """Which of these attributes of modules a module reads, or imports by name; paths of /proc count as one."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found |= {f"{node.value.id}.{node.attr}"} if node.attr in names.get(node.value.id, ()) else set()
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{a.name}" for a in node.names if a.name in names.get(node.module or "", ())}
        elif names is OF_ONE_SYSTEM and isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} if node.value.startswith("/proc/") else set()
        elif names is OF_ONE_SYSTEM and isinstance(node, ast.keyword) and node.arg == "start_new_session":
            found.add(node.arg)
    return found


def imported(path: Path) -> set[str]:
    """Top-level names of what a module imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_what_is_confined_imports_nothing_of_the_package():
    inside = PACKAGE / "sandbox/inside"
    ours = {
        name
        for path in inside.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in getattr(node, "names", [])]
        )
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    from_package = {name for name in ours if name.startswith("napari_s1omni")}
    assert all(name.startswith("napari_s1omni.sandbox.inside") for name in from_package)
    # What comes with figures is imported when code has imported it already.
    others = {name.split(".")[0] for name in ours - from_package} - sys.stdlib_module_names
    assert others == {"numpy", "PIL", "matplotlib"}


def test_names_of_test_files_are_unique():
    # Without packages among the tests, pytest tells files apart by their name alone.
    names = [p.name for p in (ROOT / "tests").rglob("*.py") if p.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))


def test_nothing_is_left_to_do():
    assert not [str(p) for p in modules() if re.search(r"\b(TODO|FIXME|XXX)\b", p.read_text(encoding="utf-8"))]


def test_every_command_has_its_home():
    from napari_s1omni.frontends.cli import command_table as table
    from napari_s1omni.frontends.cli.lazy_group import load

    for entries in (table.COMMANDS, table.BENCHES, table.TRAINING):
        for name, entry in entries.items():
            assert load(name, entry).name == name
            assert entry.help.endswith(".")
