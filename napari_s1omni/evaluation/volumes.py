"""Volumes segmented in blocks and as a whole, both scored against the truth.

The data are public stacks of nuclei with a few hundred thousand voxels each, in
``FOLDER/NAME/images`` and ``FOLDER/NAME/masks``; missing stacks are skipped.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_s1omni.api import segment
from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation import metrics
from napari_s1omni.joining.stitching import PlaneAreas, StackRule, link_planes, number_objects, part_stack

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
    """Size of a voxel along z, y and x, in any unit."""
    prompt: str
    """Objects and their size, as a user would state them."""


@dataclass(frozen=True, slots=True)
class VolumeScore:
    """Scores of both runs of one volume."""

    name: str
    objects: int
    """Objects in the truth."""
    blocks: int
    """Blocks of the run in blocks."""
    found_whole: int
    found_blocks: int
    ap_linked: float
    """AP of the truth itself after its planes are renumbered and linked again: the loss of linking alone."""
    ap_whole: float
    """Instance AP at IoU 0.5 in 3D, TP / (TP + FP + FN), of the volume in one block and one tile."""
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
    :func:`~napari_s1omni.joining.stitching.link_planes` and :func:`~napari_s1omni.joining.stitching.part_stack`.
    """
    rng = np.random.default_rng(seed)
    planes = []
    for plane in truth:
        ids, index = np.unique(plane, return_inverse=True)
        numbers = rng.permutation(len(ids)) + 1
        planes.append(np.where(ids == 0, 0, numbers)[index.reshape(plane.shape)])
    linked = link_planes(np.stack(planes), containment=containment)
    found = part_stack(
        [PlaneAreas.of(linked)],
        number_objects([int(linked.max())], []),
        rule or StackRule(split=False, least=1),
        len(linked),
    )
    numbering = found.numbering.without(found.thin)
    return np.stack([numbering.lookup(0, z)[plane] for z, plane in enumerate(linked)])


def score_volume(volume: Volume, engine: str = "reference") -> VolumeScore:
    """Segment a volume as a whole and in blocks, and score both.

    Both runs think once for the layer, so they differ only in tiles, blocks and
    planes.

    Parameters
    ----------
    volume : Volume
    engine : str
    """
    depth, height, width = volume.image.shape
    edge = max(height, width)
    step = -(-edge // 8) * 4
    whole = {"tile_size": edge, "overlap": 0, "block_size": edge, "depth": depth}
    parts = {"tile_size": 2 * step, "overlap": step, "block_size": step, "depth": -(-depth // 2)}
    truth = volume.truth
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, tiling in (("whole", whole), ("blocks", parts)):
            result = segment(
                volume.image,
                Path(folder) / name,
                prompt=f"segment the {volume.prompt}",
                engine=engine,
                axes="zyx",
                scale=volume.scale,
                think="once",
                durable=False,
                **tiling,
            )
            labels = np.asarray(result.array[...])
            (counts,) = metrics.match(truth, labels)
            found[name] = len(result.plan.grid), int(result.summary["objects"]), counts.average_precision
    return VolumeScore(
        name=volume.name,
        objects=len(np.unique(truth[truth > 0])),
        blocks=found["blocks"][0],
        found_whole=found["whole"][1],
        found_blocks=found["blocks"][1],
        ap_linked=metrics.match(truth, relink_planes(truth))[0].average_precision,
        ap_whole=found["whole"][2],
        ap_blocks=found["blocks"][2],
    )
