"""NIfTI volumes with affines, units and scaled values, and .npy files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_s1omni.benchmarks.reading.generated.draws import Draws, Made, written


def nifti(folder: Path, draws: Draws) -> Made:
    """Write a volume with a straight, mirrored, permuted or tilted affine, as sform, qform or both."""
    import nibabel

    letters = "xyztc"[: draws.one(3, 3, 3, 4, 4, 5, 2)]
    pixels = draws.pixels(letters, draws.one("u1", "i2", "u2", "i4", "f4", "f8"))
    sizes = draws.sizes("".join(a for a in letters if a != "c"))
    lengths = np.array([sizes.get(a, 1.0) for a in "xyz"])
    turn = np.eye(3)
    kind = draws.one("straight", "straight", "mirrored", "permuted", "tilted")
    if kind == "mirrored":
        turn = np.diag([draws.one(-1.0, 1.0), -1.0, draws.one(-1.0, 1.0)])
    elif kind == "permuted":
        turn = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    elif kind == "tilted":
        angle = draws.number(0.1, 0.6)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = turn * lengths
    affine[:3, 3] = [draws.number(-50, 50) for _ in range(3)]
    volume = draws.one(nibabel.Nifti1Image, nibabel.Nifti2Image)(pixels, affine)
    space, time = draws.one("mm", "micron", "meter", None), draws.one("sec", "msec", "usec", None)
    volume.header.set_xyzt_units(space, time)
    if "t" in sizes:
        zooms = list(volume.header.get_zooms())
        zooms[3] = sizes["t"]
        volume.header.set_zooms(zooms)
    forms = draws.one(("scanner", "scanner"), ("scanner", None), (None, "scanner"))
    volume.set_sform(affine, forms[0])
    volume.set_qform(affine, forms[1])
    path = folder / draws.one("a.nii", "a.nii.gz")
    nibabel.save(volume, path)
    place = dict(zip("xyz", (float(v) for v in affine[:3, 3]), strict=True))
    units = {**dict.fromkeys("xyz", space), "t": time}
    return Made(path, "NIfTI", written(letters, pixels, sizes, units, place))


def scaled_nifti(folder: Path, draws: Draws) -> Made:
    """Write a volume whose header scales the stored integers."""
    import nibabel

    pixels = draws.pixels("xyz", "f8")
    volume = nibabel.Nifti1Image(pixels, np.eye(4))
    volume.header.set_data_dtype(np.int16)
    volume.header.set_xyzt_units("mm")
    path = folder / draws.one("a.nii", "a.nii.gz")
    nibabel.save(volume, path)
    stored = np.asanyarray(nibabel.load(path).dataobj)
    return Made(path, "NIfTI, scaled", written("xyz", stored, units=dict.fromkeys("xyz", "mm")))


def npy(folder: Path, draws: Draws) -> Made:
    """Write an array without any metadata."""
    letters = draws.one("yx", "zyx", "yx", "yxs")
    pixels = draws.pixels(letters, draws.one("u1", ">u2", "f4", ">f8", "i8", "?"))
    if draws.chance(0.3):
        pixels = np.asfortranarray(pixels)
    path = folder / "a.npy"
    np.save(path, pixels)
    return Made(path, "NumPy", written("?" * len(letters), pixels))


def odd_nifti(folder: Path, draws: Draws) -> Made:
    """Write colours, complex numbers or a single slice over time."""
    import nibabel

    kind, path = draws.one("colours", "complex", "slice"), folder / "a.nii"
    if kind == "colours":
        colours = draws.pixels("xyzs", "u1")
        pixels = colours.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
        truth = written("xyzs", colours)
    elif kind == "complex":
        pixels = (draws.pixels("xyz", "f4") * (1 + 1j)).astype("c8")
        truth = written("xyz", pixels)
    else:
        pixels = draws.pixels("xyzt", "i2")[:, :, :1]
        truth = written("xyzt", pixels)
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), path)
    return Made(path, f"NIfTI, {kind}", truth)


VOLUMES = (nifti, nifti, nifti, scaled_nifti, odd_nifti)
ARRAYS = (npy,)
