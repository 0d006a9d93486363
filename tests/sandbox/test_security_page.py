"""docs/security.md names the attacks and tests that hold each line, and they exist."""

import re
from pathlib import Path

from attacks import CODE

from napari_s1omni.sandbox.inside.syscalls import MACHINES
from napari_s1omni.sandbox.policy import Limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
THREATS = PAGE.partition("## Threats")[2].partition("## What")[0]


def test_named_tests_exist():
    defined = set(
        re.findall(
            r"^def (test_\w+)", "\n".join(p.read_text("utf-8") for p in Path(__file__).parent.glob("*.py")), re.M
        )
    )
    named = set(re.findall(r"`(\w+)`", THREATS))
    assert named - defined == set(CODE), "every attack stands in the table, and nothing else"


def test_every_threat_has_a_test():
    rows = [line.split("|")[1:-1] for line in THREATS.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 12
    assert all("`" in tests for _, _, tests, _ in rows)


def test_numbers_are_those_of_the_code():
    limits = Limits()
    assert (limits.memory, limits.scratch, limits.file) == (2**30, 256 * 2**20, 64 * 2**20)
    assert (limits.cell_seconds, limits.cpu_seconds, limits.handles, limits.threads) == (60, 600, 256, 64)
    count = int(re.search(r"about (\d+) system calls", PAGE)[1])
    assert abs(len(MACHINES["x86_64"].refused) - count) <= 10
