"""``s1omni sandbox``: whether code of a model can be confined on this machine."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import typer

from napari_s1omni.errors import SandboxMissing
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json
from napari_s1omni.sandbox.launch import BACKENDS, version_of_bubblewrap
from napari_s1omni.sandbox.opening import Tested, tried
from napari_s1omni.sandbox.policy import Limits
from napari_s1omni.sandbox.self_test import PROBES
from napari_s1omni.system.confined import is_superuser, kernel, machine

_WHAT = {
    "bubblewrap": "namespaces, Landlock, seccomp and limits",
    "landlock": "Landlock, seccomp and limits",
}


def sandbox(
    backend: Annotated[
        Literal["bubblewrap", "landlock"] | None, typer.Option("--backend", help="Test only this one.")
    ] = None,
    json: Json = False,
) -> None:
    """Test whether code that a model writes can be confined here: each probe tries to get out, and must fail."""
    results = [tried(name) for name in BACKENDS if backend in (None, name)]
    chosen = next((result.backend for result in results if not result.problem), None)
    if json:
        print_json(_facts(results, chosen))
    else:
        for result in results:
            print_rows(f"{result.backend}: {_WHAT[result.backend]}", _rows(result))
            typer.echo("")
        if chosen is not None:
            print_rows("code of a model", {"": f"is run, confined by {chosen}"})
    if chosen is None:
        reasons = {result.backend: result.problem for result in results}
        raise SandboxMissing(
            "code of a model is not run on this machine",
            "questions can still be answered from pictures alone",
            "mend what the table names, then test again with 's1omni sandbox'",
            reasons=reasons,
        )


def _rows(result: Tested) -> dict[str, str]:
    rows = {}
    if result.problem:
        rows["works"] = f"no: {result.problem}"
    else:
        rows["works"] = f"yes; ready after {result.seconds:.2f} s"
    for finding in result.findings:
        rows[PROBES[finding.name]] = f"refused ({finding.said})" if finding.held else "NOT REFUSED"
    return rows


def _facts(results: list[Tested], chosen: str | None) -> dict[str, Any]:
    limits = dataclasses.asdict(Limits())
    return {
        "usable": chosen is not None,
        "backend": chosen,
        "backends": {
            result.backend: {
                "works": not result.problem,
                "problem": result.problem,
                "seconds": round(result.seconds, 3),
                "probes": {f.name: {"tried": PROBES[f.name], "held": f.held, "said": f.said} for f in result.findings},
                **({"inside": result.facts} if result.facts else {}),
            }
            for result in results
        },
        "limits": limits,
        "system": {
            **{"kernel": kernel(), "machine": machine(), "root": is_superuser()},
            "bubblewrap": version_of_bubblewrap(),
        },
    }
