"""Volumes segmented in blocks and as a whole, both scored against the truth.

The data are public stacks of nuclei with a few hundred thousand voxels each, in
``FOLDER/NAME/images`` and ``FOLDER/NAME/masks``; missing stacks are skipped.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.api import segment
from napari_s1omni.engine.registry import describe
from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation import metrics
from napari_s1omni.joining.stitching import KEEP_ALL, PlaneAreas, StackRule, link_planes, number_objects, split_stack
from napari_s1omni.operations import Segmentation
from napari_s1omni.results.result import Result

STACKS = ("stardist_synthetic3d", "qcanet_mouse_embryo", "plantseg_nuclei")
"""Names of the known stacks."""
TOLERANCE = 0.02
"""Largest allowed difference of AP between a volume in blocks and the same volume as a whole."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A stack with its truth."""

    name: str
    image: NDArray[Any]
    """(z, y, x)."""
    truth: NDArray[Any]
    """Labels of the same shape."""
    scale: tuple[float, float, float]
    """Size of a voxel along z, y and x; in um, or any unit where only the ratio is known."""
    prompt: str
    """Objects and their size, as a user would state them."""


@dataclass(frozen=True, slots=True)
class VolumeScore:
    """Scores of the runs of one volume."""

    name: str
    objects: int
    """Objects in the truth."""
    blocks: int
    """Blocks of the run in blocks."""
    found_whole: int
    found_blocks: int
    right: int
    """Objects of the volume in one block that match a true one with an IoU of at least 0.5."""
    ap_links: float
    """AP of the truth itself after its planes are renumbered and linked again, by links from plane to plane alone."""
    ap_linked: float
    """The same where objects are also split at their waists, and thin ones dropped, as in a run."""
    ap_plain: float
    """Instance AP at IoU 0.5 in 3D, TP / (TP + FP + FN), of the volume in one block and one tile by links alone."""
    ap_whole: float
    """The same with the other two rules, as a job does it by default."""
    ap_blocks: float
    """The same in several blocks and tiles."""

    @property
    def difference(self) -> float:
        """AP in blocks minus AP as a whole."""
        return self.ap_blocks - self.ap_whole


def open_volumes(folder: Path) -> Iterator[Volume]:
    """Open the stacks of :data:`STACKS` in a folder.

    Raises
    ------
    SourceError
        If a stack is there, but the package that reads it is not installed.
    """
    path = folder / "stardist_synthetic3d"
    if path.is_dir():
        image, truth = (tifffile.imread(path / part / "img3d.tif") for part in ("images", "masks"))
        yield Volume("stardist_synthetic3d", image, truth.astype(np.int64), (2.0, 1.0, 1.0), "nuclei of about 12 px")
    path = folder / "qcanet_mouse_embryo"
    if path.is_dir():
        image = tifffile.imread(path / "images" / "8_cell_stage.tif")
        # The mask is binary; nuclei do not touch.
        truth, _ = ndi.label(tifffile.imread(path / "masks" / "8_cell_stage_nsn.tif") > 0)
        yield Volume("qcanet_mouse_embryo", image, truth, (1.0, 1.0, 1.0), "nuclei of about 16 px")
    path = folder / "plantseg_nuclei" / "1135_mini.h5"
    if path.is_file():
        try:
            import h5py
        except ImportError as error:
            raise SourceError(
                f"{path} is an HDF5 file", "the package h5py", 'run pip install "napari-s1omni[bench]"', path=str(path)
            ) from error
        with h5py.File(path) as file:
            image, truth = file["raw"][()], file["label"][()].astype(np.int64)
        yield Volume("plantseg_nuclei", image, truth, (0.284, 0.127, 0.127), "nuclei of about 18 px")


def relink_planes(
    truth: NDArray[Any], rule: StackRule | None = None, containment: float = 0.7, seed: int = 0
) -> NDArray[Any]:
    """Renumber the objects of each plane at random and link them again, see
    :func:`~napari_s1omni.joining.stitching.link_planes` and :func:`~napari_s1omni.joining.stitching.split_stack`.
    """
    rng = np.random.default_rng(seed)
    planes = []
    for plane in truth:
        ids, index = np.unique(plane, return_inverse=True)
        numbers = rng.permutation(len(ids)) + 1
        planes.append(np.where(ids == 0, 0, numbers)[index.reshape(plane.shape)])
    linked = link_planes(np.stack(planes), containment=containment)
    found = split_stack(
        [PlaneAreas.of(linked)],
        number_objects([int(linked.max())], []),
        rule or KEEP_ALL,
        len(linked),
    )
    numbering = found.numbering.without(found.thin)
    return np.stack([numbering.lookup(0, z)[plane] for z, plane in enumerate(linked)])


def score_volume(volume: Volume, engine: str = "reference") -> VolumeScore:
    """Segment a volume as a whole, by links from plane to plane alone too, and in blocks, and score all.

    All runs think once for the layer, so they differ only in tiles, blocks and
    rules.

    Parameters
    ----------
    volume : Volume
    engine : str
    """
    depth, height, width = volume.image.shape
    edge = max(height, width)
    quantum = max(4, describe(engine, "segmentation").limits.multiple_of)
    step = -(-edge // (2 * quantum)) * quantum
    whole = {"tile_size": edge, "overlap": 0, "block_size": edge, "depth": depth}
    parts = {"tile_size": 2 * step, "overlap": step, "block_size": step, "depth": -(-depth // 2)}
    truth = volume.truth
    links = {"split_z": False, "min_planes": 1}
    found: dict[str, tuple[Result, metrics.Counts]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, options in (("plain", whole | links), ("whole", whole), ("blocks", parts)):
            result = segment(
                volume.image,
                Path(folder) / name,
                prompt=f"segment the {volume.prompt}",
                engine=engine,
                axes="zyx",
                scale=volume.scale,
                units="um",
                think="once",
                durable=False,
                **options,
            )
            found[name] = result, metrics.match(truth, np.asarray(result.array[...]))[0]
    counts = {name: one for name, (_, one) in found.items()}
    operation = found["whole"][0].plan.job.operation
    rule = operation.stack_rule(found["whole"][0].plan.target) if isinstance(operation, Segmentation) else None
    return VolumeScore(
        name=volume.name,
        objects=len(np.unique(truth[truth > 0])),
        blocks=len(found["blocks"][0].plan.grid),
        found_whole=counts["whole"].true_positives + counts["whole"].false_positives,
        found_blocks=counts["blocks"].true_positives + counts["blocks"].false_positives,
        right=counts["whole"].true_positives,
        ap_links=metrics.match(truth, relink_planes(truth))[0].average_precision,
        ap_linked=metrics.match(truth, relink_planes(truth, rule))[0].average_precision,
        ap_plain=counts["plain"].average_precision,
        ap_whole=counts["whole"].average_precision,
        ap_blocks=counts["blocks"].average_precision,
    )


def keep_scores(path: Path, engine: str, scores: Sequence[VolumeScore]) -> None:
    """Write what an engine finds in each stack to a file of several engines, see
    :mod:`napari_s1omni.jobs.volume_quality`.

    Parameters
    ----------
    path : Path
    engine : str
    scores : sequence of VolumeScore
    """
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    known[engine] = {
        "revision": describe(engine, "segmentation").revision,
        "stacks": {s.name: {"objects": s.objects, "found": s.found_whole, "right": s.right} for s in scores},
    }
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
