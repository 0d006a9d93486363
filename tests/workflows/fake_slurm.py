"""Fake SLURM commands: a submitted job runs at once on this machine and is recorded."""

import sys

_SBATCH = """\
import json, os, subprocess, sys
from pathlib import Path
home = Path(__file__).parent
number = len(list(home.glob("*.job"))) + 1
words = sys.argv[1:]
(home / f"{number}.job").write_text(json.dumps(words))
wrap = next(word for word in words if word.startswith("--wrap=")).removeprefix("--wrap=")
with (home / f"{number}.log").open("w") as log:
    done = subprocess.run(wrap, shell=True, stdout=log, stderr=log, env={**os.environ, "SLURM_JOB_ID": str(number)})
(home / f"{number}.state").write_text("COMPLETED" if done.returncode == 0 else "FAILED")
print(number)
"""
_SACCT = """\
from pathlib import Path
for state in sorted(Path(__file__).parent.glob("*.state")):
    print(f"{state.stem}|{state.read_text()}")
"""
_SRUN = """\
import os, sys
words = sys.argv[1:]
while words[0].startswith("-"):
    words.pop(0)
os.execvp(words[0], words)
"""
_NOTHING = "\n"


def write_slurm(home):
    """Write the fake commands into a folder."""
    home.mkdir()
    for name, code in {
        "sbatch": _SBATCH,
        "sacct": _SACCT,
        "srun": _SRUN,
        "sinfo": _NOTHING,
        "scancel": _NOTHING,
    }.items():
        (home / name).write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
        (home / name).chmod(0o755)
    return home
