"""Which commands there are, and where each one lives. Nothing here imports a command."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command before it is loaded."""

    home: str
    """``module:attribute`` of a function, or of a ``typer.Typer`` for a group."""
    help: str
    """One sentence for ``s1omni --help``."""
    panel: str | None = None
    """Heading under which it stands there."""


_CLI = "napari_s1omni.frontends.cli"
_RUN, _LOOK, _KNOW, _MAKE = "Run", "Look at results", "Engines and models", "Measure and train"

COMMANDS = {
    "demo": Entry(
        f"{_CLI}.demo.demo:demo", "Run all three operations on real images and draw one picture of them.", _RUN
    ),
    "segment": Entry(f"{_CLI}.commands.operations:segment", "Find objects: an image becomes labels.", _RUN),
    "superres": Entry(f"{_CLI}.commands.operations:superres", "Restore an image on a finer grid.", _RUN),
    "translate": Entry(
        f"{_CLI}.commands.operations:translate", "Draw an image as another modality would show it.", _RUN
    ),
    "plan": Entry(f"{_CLI}.commands.plan:plan", "Say what a job would do and cost, without running it.", _RUN),
    "run": Entry(f"{_CLI}.commands.run:run", "Run a job file, or go on with it.", _RUN),
    "resume": Entry(f"{_CLI}.commands.run:resume", "Go on with an unfinished output.", _RUN),
    "status": Entry(f"{_CLI}.commands.attach:status", "Say how far a run is.", _RUN),
    "attach": Entry(f"{_CLI}.commands.attach:attach", "Watch a run until it ends.", _RUN),
    "pause": Entry(f"{_CLI}.commands.attach:pause", "Let a run wait, or go on.", _RUN),
    "cancel": Entry(f"{_CLI}.commands.attach:cancel", "Stop a run; what is finished is kept.", _RUN),
    "focus": Entry(f"{_CLI}.commands.focus:focus", "Let a run do the blocks nearest to a place first.", _RUN),
    "redo": Entry(f"{_CLI}.commands.redo:redo", "Think and draw some tiles anew; keep or undo it.", _RUN),
    "show": Entry(f"{_CLI}.commands.show:show", "Show job, plan, progress and thoughts of an output.", _LOOK),
    "export": Entry(f"{_CLI}.commands.export:export", "Write a result as OME-TIFF, GeoJSON or ImageJ ROIs.", _LOOK),
    "measure": Entry(f"{_CLI}.commands.measure:measure", "Measure every object into a table.", _LOOK),
    "evaluate": Entry(f"{_CLI}.commands.evaluate:evaluate", "Compare a result with a truth.", _LOOK),
    "evaluate-benchmark": Entry(
        f"{_CLI}.commands.evaluate_benchmark:evaluate_benchmark",
        "Score by the protocol of a published benchmark.",
        _LOOK,
    ),
    "report": Entry(
        f"{_CLI}.commands.report:report", "Write a page about a result: facts, joins, tiles with their thoughts.", _LOOK
    ),
    "engines": Entry(f"{_CLI}.commands.engines:engines", "List the engines and what each one does.", _KNOW),
    "models": Entry(f"{_CLI}.commands.models:app", "List, show and fetch models.", _KNOW),
    "bench": Entry(f"{_CLI}.bench:app", "Measure the numbers that the README states.", _MAKE),
    "train": Entry(f"{_CLI}.train:app", "Make and tune checkpoints.", _MAKE),
}
"""The commands of ``s1omni``, in the order of its help."""

BENCHES: dict[str, Entry] = {
    "nuclei": Entry(
        f"{_CLI}.bench.single_images:nuclei", "Instances against annotated nuclei, and tiled against whole."
    ),
    "restored": Entry(f"{_CLI}.bench.single_images:restored", "Super-resolved pictures against bicubic interpolation."),
    "overhead": Entry(f"{_CLI}.bench.overhead:overhead", "What a durable run costs beyond its model."),
    "memory": Entry(f"{_CLI}.bench.overhead:memory", "Peak memory over the size of the volume."),
    "resume": Entry(f"{_CLI}.bench.overhead:resume", "How soon a killed run goes on."),
    "scaling": Entry(f"{_CLI}.bench.overhead:scaling", "Two workers against one; a million blocks."),
    "page": Entry(f"{_CLI}.bench.overhead:page", "All of these beside other ways, as a page."),
    "stitching": Entry(f"{_CLI}.bench.stitching:app", "Labels across blocks: oracles, scale and memory."),
    "ablation": Entry(f"{_CLI}.bench.ablation:ablation", "Whether the editor listens to the thought."),
    "volumes": Entry(f"{_CLI}.bench.volumes:volumes", "Stacks in blocks against the same stacks as a whole."),
    "batch": Entry(f"{_CLI}.bench.batch:batch", "Fifty small images in a batch against one."),
    "notebook": Entry(
        f"{_CLI}.bench.notebook:notebook", "First px and bytes of the panel in a real JupyterLab; the report."
    ),
    "napari": Entry(
        f"{_CLI}.bench.napari:napari", "A real window: frames while it is panned beside a run, and its dock."
    ),
    "measure": Entry(f"{_CLI}.bench.measure:measure", "A table of very many objects: time and memory."),
}
"""The commands of ``s1omni bench``; one module each."""

TRAINING: dict[str, Entry] = {
    "nano": Entry(f"{_CLI}.train.nano:nano", "Train the small checkpoint that comes with the package."),
}
"""The commands of ``s1omni train``; one module each."""
