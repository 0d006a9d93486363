"""The commands, their help and where to import them from. Nothing here imports a command."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command before it is imported."""

    target: str
    """``module:attribute`` of a function, or of a ``typer.Typer`` for a group."""
    help: str
    """One sentence for ``s1omni --help``."""
    panel: str | None = None
    """Heading of its group in the help."""


_CLI = "napari_s1omni.frontends.cli"
_SCORES = f"{_CLI}.bench.scores"
_RUN, _LOOK, _KNOW, _MAKE = "Run", "Look at images and results", "Engines and models", "Measure and train"

COMMANDS = {
    "demo": Entry(
        f"{_CLI}.demo.demo:demo", "Run all three operations on real images and draw a figure of the results.", _RUN
    ),
    "segment": Entry(f"{_CLI}.commands.operations:segment", "Segment objects into a label image.", _RUN),
    "superres": Entry(f"{_CLI}.commands.operations:superres", "Restore an image at 2 or 4 times the resolution.", _RUN),
    "translate": Entry(f"{_CLI}.commands.operations:translate", "Translate an image to another modality.", _RUN),
    "plan": Entry(f"{_CLI}.commands.plan:plan", "Print the plan and cost of a job without running it.", _RUN),
    "run": Entry(f"{_CLI}.commands.run:run", "Run a job file, or continue it.", _RUN),
    "resume": Entry(f"{_CLI}.commands.run:resume", "Continue an unfinished run.", _RUN),
    "status": Entry(f"{_CLI}.commands.attach:status", "Print the progress of a run.", _RUN),
    "attach": Entry(f"{_CLI}.commands.attach:attach", "Watch a run until it ends.", _RUN),
    "pause": Entry(f"{_CLI}.commands.attach:pause", "Pause or continue a run.", _RUN),
    "cancel": Entry(f"{_CLI}.commands.attach:cancel", "Stop a run; finished blocks are kept.", _RUN),
    "focus": Entry(f"{_CLI}.commands.focus:focus", "Make a run process the blocks near a position first.", _RUN),
    "redo": Entry(f"{_CLI}.commands.redo:redo", "Redo some tiles, then accept or undo the change.", _RUN),
    "info": Entry(
        f"{_CLI}.commands.info:info",
        "List the images of a file with axes, sizes and channels.",
        _LOOK,
    ),
    "show": Entry(f"{_CLI}.commands.show:show", "Show job, plan, progress and thoughts of a result.", _LOOK),
    "export": Entry(f"{_CLI}.commands.export:export", "Write a result as OME-TIFF, GeoJSON or ImageJ ROIs.", _LOOK),
    "measure": Entry(f"{_CLI}.commands.measure:measure", "Measure every object into a table.", _LOOK),
    "evaluate": Entry(f"{_CLI}.commands.evaluate:evaluate", "Compare a result with ground truth.", _LOOK),
    "evaluate-benchmark": Entry(
        f"{_CLI}.bench.published.image_sets:evaluate_benchmark",
        "Score an engine by the protocol of a published benchmark; also 's1omni bench NAME'.",
        _LOOK,
    ),
    "ask": Entry(f"{_CLI}.asking.ask:ask", "Answer a question about an image of any size.", _LOOK),
    "replay": Entry(f"{_CLI}.asking.ask:replay", "Run the code of an answered question again, and compare.", _LOOK),
    "report": Entry(f"{_CLI}.commands.report:report", "Write an HTML report of a result.", _LOOK),
    "engines": Entry(f"{_CLI}.commands.engines:engines", "List the engines and their operations.", _KNOW),
    "models": Entry(f"{_CLI}.commands.models:app", "List, show and download models.", _KNOW),
    "endpoints": Entry(f"{_CLI}.asking.endpoints:app", "Add, list, test and remove endpoints of chat models.", _KNOW),
    "sandbox": Entry(
        f"{_CLI}.asking.sandbox:sandbox", "Test whether code of a model can be confined on this machine.", _KNOW
    ),
    "bench": Entry(f"{_CLI}.bench:app", "Measure the numbers in the README.", _MAKE),
    "train": Entry(f"{_CLI}.train:app", "Train checkpoints.", _MAKE),
}
"""The commands of ``s1omni``, in the order of its help."""

BENCHES: dict[str, Entry] = {
    "nuclei": Entry(
        f"{_SCORES}.single_images:nuclei",
        "Score nuclei against annotations, and tiled against untiled results.",
    ),
    "tile-sizes": Entry(f"{_SCORES}.tile_sizes:tile_sizes", "Compare what is found in tiles of several sizes."),
    "overlay": Entry(f"{_SCORES}.overlay:overlay", "Paint true masks as an engine would, and read them again."),
    "restored": Entry(f"{_SCORES}.single_images:restored", "Compare super-resolution with bicubic interpolation."),
    "overhead": Entry(f"{_CLI}.bench.overhead:overhead", "Measure the overhead of a durable run, without the model."),
    "memory": Entry(f"{_CLI}.bench.overhead:memory", "Measure peak memory by size of the volume."),
    "resume": Entry(f"{_CLI}.bench.overhead:resume", "Time how soon a killed run continues."),
    "scaling": Entry(f"{_CLI}.bench.overhead:scaling", "Compare two workers with one; run many blocks."),
    "page": Entry(f"{_CLI}.bench.overhead:page", "Measure all of these and other frameworks; write a page."),
    "stitching": Entry(f"{_CLI}.bench.stitching:app", "Measure stitching of labels: correctness, time and memory."),
    "ablation": Entry(f"{_CLI}.bench.ablation:ablation", "Measure how much the thought changes the result."),
    "think": Entry(f"{_CLI}.bench.think:think", "Time the writing of thoughts beside the network."),
    "volumes": Entry(f"{_SCORES}.volumes:volumes", "Compare volumes in blocks with the same volumes as a whole."),
    "batch": Entry(f"{_CLI}.bench.batch:batch", "Measure the overhead of a batch of small images."),
    "tiles": Entry(f"{_CLI}.bench.tiles:tiles", "Measure what a megapixel costs: tiles drawn, overhead, engines."),
    "busy": Entry(f"{_CLI}.bench.busy:busy", "Time runs and previews beside other work on the machine."),
    "gpu": Entry(f"{_CLI}.bench.gpu:gpu", "Time a model of the released size on a GPU, with random weights."),
    "notebook": Entry(
        f"{_CLI}.bench.notebook:notebook", "Time the panel in a real JupyterLab; measure the bytes it sends."
    ),
    "napari": Entry(f"{_CLI}.bench.napari:napari", "Time the frames of a real napari window during a run."),
    "measure": Entry(f"{_CLI}.bench.measure:measure", "Measure time and memory for a table of many objects."),
    "readers": Entry(f"{_CLI}.bench.readers:readers", "Compare how files are read with their reference readers."),
    "fuzz": Entry(f"{_CLI}.bench.fuzz:fuzz", "Read damaged files: an error that says why, or the right image."),
    "msd": Entry(f"{_CLI}.bench.published.image_sets:msd", "Score an engine on the Medical Segmentation Decathlon."),
    "cigrocksem": Entry(f"{_CLI}.bench.published.image_sets:cigrocksem", "Score an engine on cigRockSEM."),
    "synthrad2025": Entry(f"{_CLI}.bench.published.image_sets:synthrad2025", "Score an engine on SynthRAD2025."),
    "ixi": Entry(f"{_CLI}.bench.published.image_sets:ixi", "Score an engine on IXI."),
    "ask": Entry(
        f"{_CLI}.bench.published.ask:ask", "Ask a chat model the questions of a benchmark; score the answers."
    ),
    **{
        name: Entry(f"{_CLI}.bench.published.question_sets:{name.replace('-', '_')}", f"Score answers to {title}.")
        for name, title in (
            ("vstar", "V*"),
            ("hrbench", "HR-Bench 4K or 8K"),
            ("mme-realworld", "MME-RealWorld, -CN or -Lite"),
            ("mmmu", "MMMU"),
            ("mathv", "MATH-V (MathVision)"),
            ("sfe", "SFE (Scientists' First Exam)"),
            ("physics", "PHYSICS"),
            ("vrsbench", "VRSBench (VQA)"),
            ("gmai-mmbench", "GMAI-MMBench"),
            ("galaxy10", "Galaxy10 DECaLS"),
        )
    },
}
"""The commands of ``s1omni bench``."""

TRAINING: dict[str, Entry] = {
    "nano": Entry(f"{_CLI}.train.nano:nano", "Train the small checkpoint that comes with the package."),
    "score": Entry(f"{_CLI}.train.score:score", "Score the present weights of a training on unseen sources."),
    "status": Entry(f"{_CLI}.train.status:status", "Print how far a training is."),
}
"""The commands of ``s1omni train``; one module each."""
