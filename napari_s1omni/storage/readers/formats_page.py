"""The table of formats in ``docs/formats.md``, made by reading one file of each.

``python -m napari_s1omni.storage.readers.formats_page docs/formats.md --data FOLDER`` writes the
page: a first table from small files that the command writes itself, and, with
``--data``, a second one of what every OME-Zarr sample in a folder gave.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from PIL import Image

from napari_s1omni.errors import S1OmniError
from napari_s1omni.storage.readers.synthetic import Scene
from napari_s1omni.storage.source import Source, open_source

_HEAD = """\
# Formats

This page is made by `python -m napari_s1omni.storage.readers.formats_page docs/formats.md --data FOLDER`, with FOLDER that of the
OME-Zarr samples.

Every image is read in the order `t c z y x`, in native byte order, box by box; nothing is loaded whole but PNG,
JPEG and compressed NIfTI of up to 1 GB. Give `axes` (one letter for each stored dimension, `s` for the colour samples
of a picture), `scale` and `units` where a file does not say them or says them wrongly. What was guessed, moved or left
out stands in the notes of the plan.

- Integers of 8 to 64 bits, floats of 16 to 64 bits and booleans (as 0 and 1) are read; complex numbers are refused.
- Units of length along z, y and x are brought to that of x; a missing unit is said.
- A px size of 0, below 0 or not finite is refused, with the key where it stands.
- A chunk that is missing is its fill value, as Zarr defines it; one that is damaged is an error that names its key.
- OME-Zarr 0.1 to 0.3 is refused with the way to convert it; its arrays open by their own path, with `axes`.
- `http(s)://` and `s3://` stores need the extra `remote`. Settings such as `FSSPEC_S3_ANON=true` and
  `FSSPEC_S3_ENDPOINT_URL` are those of fsspec. A server that falls silent for 60 s is an error that names the chunk.
- `.nii` and `.nii.gz` need the extra `medical`. TIFF compressed with LZW, JPEG or Zstandard needs `imagecodecs`.
- Regions: a box, polygons (GeoJSON as of QuPath; ImageJ `.roi` and `.zip`), or a mask of the image's own size. Tiles
  without a px in it are neither read nor drawn. A thought for several tiles (`per_region`, `once`) reads all of these
  nevertheless, so that a px is drawn alike whatever the region.

"""
_SYNTHETIC = """
## Synthetic sources

`synthetic://KIND?shape=64,512,512&setting=value` is a volume of any size that is computed where it is read.

"""
_MADE = "\n## One file of each, and what was read\n\n"
_COLUMNS = f"| format | given as | axes | shape | type | px size | unit | channels | notes |\n{'|---' * 9}|\n"


_QUALITY = """
## Quality maps

A result carries three Zarr arrays below `.s1omni/quality/`, in shards of its own blocks, of which only those are stored
in which something is not 0. They open like any array: `zarr.open_array("OUTPUT/.s1omni/quality/holes")`, or
`Result.hole_mask`.

| array | in Python | px | type | value |
|---|---|---|---|---|
| `confidence` | `Result.confidence` | those of the result; masks only | uint8 | 255 sure, 0 undecided or not drawn |
| `seams` | `Result.seams` | one per tile | float32 | step across its joins over that beside them; 0 none |
| `holes` | `Result.hole_mask` | those of the result | uint8 | 1 where a tile reaches that failed twice |
"""


_SAMPLES = """
## OME-Zarr samples

Published example stores, at the outermost group and at each image. Many are wrong on purpose, and most hold metadata
without chunks; those read as their fill value.

"""


@dataclass(frozen=True, slots=True)
class Sample:
    """How to make one small file of a format."""

    format: str
    """Name in the table."""
    name: str
    """What is given to ``open_source``, below a folder or a URI."""
    make: Callable[[Path], None]
    """Writes it."""


def main(arguments: list[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("page", type=Path, help="file to write")
    parser.add_argument("--data", type=Path, help="folder in which all OME-Zarr images are tried")
    given = parser.parse_args(arguments)
    text = page(given.data.resolve() if given.data else None)
    given.page.write_text(text, encoding="utf-8")


def page(data: Path | None) -> str:
    """Return the page; with the OME-Zarr images below a folder, if one is given."""
    text = _HEAD + settings() + _QUALITY + _MADE + made_table()
    return text + _SAMPLES + found_table(data) if data else text


def settings() -> str:
    """Return the list of what may stand behind ``synthetic://``."""
    lines = [_SYNTHETIC]
    for name, field in Scene.model_fields.items():
        default = "" if field.is_required() or field.default in ("", ()) else f" Default {field.default}."
        about = " ".join((field.description or "").split())
        lines.append(f"- `{name}`: {about}{default}\n")
    return "".join(lines)


def made_table() -> str:
    """Return the table of formats, reading files made for it."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for sample in _samples():
            path = Path(folder) / sample.name
            sample.make(path)
            given = sample.name if "://" in sample.name else str(path)
            rows.append(_row(sample.format, f"`{sample.name}`", open_source(given)))
    return _COLUMNS + "".join(rows)


def found_table(data: Path) -> str:
    """Return one line for each OME-Zarr group below a folder: what was read, or the error."""
    rows = ["| path | read |\n|---|---|\n"]
    for path in groups(data):
        name = path.relative_to(data).as_posix()
        try:
            source = open_source(path)
            source.read(tuple(slice(0, min(n, 8)) for n in source.spec.shape))
            spec = source.spec
            size = " x ".join(str(n) for n in spec.shape)
            said = f"{spec.kind} {''.join(spec.axes)}, {size}, {spec.dtype}, levels: {len(source.levels()) + 1}"
            said += "".join(f"; {note}" for note in source.notes if "holds no chunk" not in note)
        except S1OmniError as error:
            said = f"**{type(error).__name__}**: {error}"
        rows.append(f"| `{name}` | {said.replace(str(data) + '/', '')} |\n")
    return "".join(rows)


def groups(data: Path) -> Iterator[Path]:
    """Yield the outermost Zarr groups below `data` and all groups that hold or list an image."""
    for path in sorted(data.rglob("*")):
        files = [path / name for name in (".zattrs", "zarr.json", ".zgroup") if (path / name).is_file()]
        text = "".join(f.read_text(encoding="utf-8", errors="replace") for f in files)
        outermost = files and not any((path.parent / name).exists() for name in (".zgroup", "zarr.json"))
        if '"multiscales"' in text or (outermost and '"shape"' not in text and ".zarr/" not in f"{path.parent}/"):
            yield path


def _row(name: str, given: str, source: Source) -> str:
    spec = source.spec
    source.read()
    units = ", ".join(dict.fromkeys(u for u in spec.units if u)) or "-"
    kind = " colour" if spec.rgb else " labels" if spec.kind == "labels" else ""
    cells = (
        name,
        given,
        "".join(spec.axes) + kind,
        " x ".join(str(n) for n in spec.shape),
        spec.dtype,
        ", ".join(f"{s:g}" for s in spec.scale),
        units,
        ", ".join(spec.channel_names) or "-",
        "; ".join(source.notes) or "-",
    )
    return f"| {' | '.join(cells)} |\n"


def _values(*shape: int, dtype: Any = np.uint16) -> np.ndarray[Any, Any]:
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)


def _samples() -> list[Sample]:
    return [
        Sample("NumPy", "a.npy", lambda p: np.save(p, _values(5, 20, 30, dtype=">i4"))),
        Sample(
            "PNG, colour with alpha", "a.png", lambda p: Image.fromarray(_values(20, 30, 4, dtype=np.uint8)).save(p)
        ),
        Sample("PNG, 16-bit grey", "b.png", lambda p: Image.fromarray(_values(20, 30)).save(p)),
        Sample("JPEG", "a.jpg", lambda p: Image.fromarray(_values(20, 30, dtype=np.uint8)).save(p)),
        Sample("TIFF, tiled, deflated", "a.tif", _tiled_tiff),
        Sample("ImageJ TIFF", "b.tif", _imagej_tiff),
        Sample("OME-TIFF", "a.ome.tif", _ome_tiff),
        Sample("Zarr v2 array", "v2.zarr", lambda p: _array(p, 2)),
        Sample("Zarr v3 array, sharded", "v3.zarr", lambda p: _array(p, 3)),
        Sample("OME-Zarr 0.4", "image04.zarr", lambda p: _ngff(p, "0.4")),
        Sample("OME-Zarr 0.5", "image05.zarr", lambda p: _ngff(p, "0.5")),
        Sample("OME-Zarr level", "image05b.zarr/1", lambda p: _ngff(p.parent, "0.5")),
        Sample("OME-Zarr labels", "image05c.zarr/labels/nuclei", lambda p: _ngff(p, "0.5", labels=True)),
        Sample("OME-Zarr plate field", "plate.zarr/A/1/0", lambda p: _ngff(p, "0.5")),
        Sample("NIfTI", "a.nii.gz", _nifti),
        Sample("Synthetic", "synthetic://nuclei?shape=4,64,64&scale=2,0.5,0.5", lambda p: None),
        Sample("Synthetic truth", "synthetic://nuclei-labels?shape=4,64,64&scale=2,0.5,0.5", lambda p: None),
    ]


def _tiled_tiff(path: Path) -> None:
    options: dict[str, Any] = {"photometric": "minisblack", "tile": (16, 16), "compression": "zlib"}
    tifffile.imwrite(path, _values(5, 20, 30), metadata={"axes": "ZYX"}, **options)


def _imagej_tiff(path: Path) -> None:
    about = {"axes": "ZCYX", "spacing": 2.5, "unit": "um"}
    tifffile.imwrite(path, _values(5, 2, 20, 30), imagej=True, resolution=(4.0, 4.0), metadata=about)


def _ome_tiff(path: Path) -> None:
    about: dict[str, Any] = {"axes": "CZYX", "Channel": {"Name": ["DNA", "actin"]}}
    about |= {f"PhysicalSize{a}": s for a, s in zip("ZYX", (1.0, 0.1, 0.1), strict=True)}
    tifffile.imwrite(path, _values(2, 5, 20, 30), metadata=about)


def _array(path: Path, version: int) -> None:
    shards = (1, 20, 30) if version == 3 else None
    names = ("z", "y", "x") if version == 3 else None
    values = _values(5, 20, 30)
    zarr.create_array(path, data=values, chunks=(1, 10, 10), shards=shards, zarr_format=version, dimension_names=names)


def _ngff(path: Path, version: str, *, labels: bool = False) -> None:
    values = _values(5, 20, 30, dtype=np.uint32) if labels else _values(2, 5, 20, 30)
    letters = "zyx" if labels else "czyx"
    group = zarr.create_group(path, zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for i, level in enumerate((values, values[..., ::2, ::2])):
        group.create_array(str(i), data=level, chunks=(*level.shape[:-2], 10, 10))
        scale = [{"c": 1.0, "z": 2.0}.get(a, 0.5 * 2**i) for a in letters]
        datasets.append({"path": str(i), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    axes = [
        {"name": a, "type": "channel"} if a == "c" else {"name": a, "type": "space", "unit": "micrometer"}
        for a in letters
    ]
    image: dict[str, Any] = {"axes": axes, "datasets": datasets}
    about: dict[str, Any] = (
        {"image-label": {}} if labels else {"omero": {"channels": [{"label": "DNA"}, {"label": "actin"}]}}
    )
    if version == "0.4":
        group.attrs.update({"multiscales": [{**image, "version": version}], **about})
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [image], **about}


def _nifti(path: Path) -> None:
    import nibabel

    volume = nibabel.Nifti1Image(_values(30, 20, 5, dtype=np.int16), np.diag([0.8, 0.8, 3.0, 1.0]))
    volume.header.set_xyzt_units("mm")
    nibabel.save(volume, path)


if __name__ == "__main__":
    main()
