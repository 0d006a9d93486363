"""Open a kernel by the strongest confinement that works here; without any, no code is run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_s1omni.errors import SandboxError, SandboxMissing
from napari_s1omni.sandbox.fonts import font_list
from napari_s1omni.sandbox.launch import BACKENDS, Backend
from napari_s1omni.sandbox.policy import ALL_LIBRARIES, Limits, confinement
from napari_s1omni.sandbox.process_kernel import ProcessKernel
from napari_s1omni.sandbox.self_test import Finding


@dataclass(frozen=True, slots=True)
class Tested:
    """Whether a backend works here.

    Attributes
    ----------
    problem : str
        Why it does not; empty where it does.
    findings : tuple of Finding
        What the probes found.
    facts : dict
        Versions inside.
    seconds : float
        From the start to the end of the test.
    """

    backend: Backend
    problem: str
    findings: tuple[Finding, ...]
    facts: dict[str, Any]
    seconds: float


def open_kernel(
    limits: Limits | None = None,
    libraries: Sequence[str] = ALL_LIBRARIES,
    backend: Backend | None = None,
) -> ProcessKernel:
    """Return a kernel whose process runs and has passed its test.

    Parameters
    ----------
    limits : Limits, optional
    libraries : sequence of str
        Packages that are imported before the first cell; ``("numpy",)`` starts fastest.
    backend : {"bubblewrap", "landlock"}, optional
        Only this one; by default the strongest that works.

    Raises
    ------
    SandboxMissing
        If none works: no code is run, whatever is asked.
    """
    given = confinement(limits, libraries, font_list() if "matplotlib" in libraries else None)
    reasons: dict[str, str] = {}
    for name in (backend,) if backend is not None else BACKENDS:
        kernel = ProcessKernel(name, given)
        try:
            kernel.start()
        except SandboxError as error:
            kernel.close()
            reasons[name] = error.given
        except BaseException:
            kernel.close()
            raise
        else:
            return kernel
    # The reasons are often the same.
    said = "; ".join(dict.fromkeys(reasons.values()))
    raise SandboxMissing(
        f"code of a model cannot be confined on this machine, so it is not run: {said}",
        "questions can still be answered from pictures alone",
        "'s1omni sandbox' shows what is missing",
        reasons=reasons,
    )


def tried(backend: Backend, libraries: Sequence[str] = ("numpy",)) -> Tested:
    """Start a process with this backend, run the probes, and end it."""
    began = time.monotonic()
    kernel = ProcessKernel(backend, confinement(libraries=libraries))
    try:
        kernel.start()
        return Tested(backend, "", kernel.findings, kernel.facts, time.monotonic() - began)
    except SandboxError as error:
        findings: tuple[Finding, ...] = tuple(error.facts.get("findings", ()))  # type: ignore[arg-type]
        return Tested(backend, error.given, findings, {}, time.monotonic() - began)
    finally:
        kernel.close()
