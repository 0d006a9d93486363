"""``python -m napari_s1omni.training --config FILE``: train nano."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from napari_s1omni.errors import S1OmniError
from napari_s1omni.training.nano import STEPS, main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m napari_s1omni.training", description="Train the nano checkpoint.")
    parser.add_argument("--config", type=Path, required=True, help="recipe in YAML")
    parser.add_argument("--only", choices=STEPS, help="run a single step")
    parser.add_argument("--limit", type=float, help="stop after this many wall-clock minutes and keep the state")
    arguments = parser.parse_args()
    try:
        folder = main(arguments.config, arguments.only, arguments.limit)
    except S1OmniError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(f"{folder}\n")
