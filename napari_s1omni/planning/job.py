"""The job: one document that a person writes and every frontend edits, submits or watches."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from napari_s1omni.core.document import Document, read_yaml
from napari_s1omni.core.image_references import ImageChoice, with_image
from napari_s1omni.core.paths import full_path, is_url, local_path, name_in, settled_path
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.tiling import Tiling
from napari_s1omni.errors import JobError
from napari_s1omni.operations import AnyOperation
from napari_s1omni.planning.zarr_folder import image_of

Range = tuple[int, int]
_LABEL_NAME = re.compile(r"(?!\.|__)[A-Za-z0-9._-]+")


def _settle(value: Any, info: ValidationInfo) -> Any:
    """Write a path in full when its job is made, since the working folder may be another one when it is run."""
    if not isinstance(value, str | os.PathLike):
        return value
    text = os.fspath(value)
    in_process = text.startswith("memory:")
    return text if in_process or not text or (info.context or {}).get("stored") else settled_path(text)


def _settle_output(value: Any, info: ValidationInfo) -> Any:
    """Leave a relative output as it is written, for messages; :attr:`Job.full_output` completes it."""
    if not isinstance(value, str | os.PathLike):
        return value
    text = os.fspath(value)
    plain = not (os.path.isabs(text) or text.startswith("~") or re.match(r"[A-Za-z][\w+.-]*:", text))
    return text if plain else _settle(text, info)


def _settle_engine(value: Any, info: ValidationInfo) -> Any:
    """Write the folder of a checkpoint in full; the name of an engine stays, also one like owner/name."""
    if not isinstance(value, str | os.PathLike):
        return value
    text = os.fspath(value)
    folder = text.startswith(("~", "./", "../", "file:")) or ("/" in text and os.path.isdir(text))
    return _settle(text, info) if folder else text


def _check_label_name(name: str | None) -> str | None:
    """Refuse a name of labels that Zarr reserves, that systems hide, or that some disks and URLs spell otherwise."""
    if name is None or (_LABEL_NAME.fullmatch(name) and name != "zarr.json"):
        return name
    raise ValueError(
        f"{name!r} cannot name labels; a name has letters A to Z, digits, '-', '_' and '.', begins with neither '.' "
        "nor '__', and is not zarr.json"
    )


Location = Annotated[str, BeforeValidator(_settle)]
"""A path or URL as a person writes it; a relative path starts at the working folder."""


class SourceRef(Document):
    """Where the image is, and corrections of its metadata."""

    uri: Location = Field(min_length=1)
    """Path or URL of an image, an array or a store; a relative path starts at the working folder."""
    level: int = Field(0, ge=0)
    """Pyramid level to work on; 0 is full resolution."""
    axes: str | None = None
    """Axes as stored, such as ``zyx``, if the metadata is missing or wrong."""
    scale: float | tuple[float, ...] | None = None
    """Pixel size in `units`: one number, or one per stored axis, if the metadata is missing or wrong."""
    units: str | tuple[str, ...] | None = None
    """Unit of `scale` along z, y and x, such as ``um``; or one per stored axis, ``pixel`` where there is none."""

    @model_validator(mode="before")
    @classmethod
    def _with_image(cls, data: Any) -> Any:
        """Write the image that is chosen behind the path of its file, so that a reference is one text everywhere."""
        if not isinstance(data, dict) or "image" not in data:
            return data
        image = data["image"]
        rest = {name: value for name, value in data.items() if name != "image"}
        uri = rest.get("uri")
        if image is None or not isinstance(uri, str | os.PathLike):
            return rest
        if isinstance(image, bool) or not isinstance(image, str | int):
            raise ValueError(f"image {image!r}: an image is chosen by its name or number")
        try:
            return {**rest, "uri": with_image(uri, image)}
        except JobError as error:
            raise ValueError(str(error)) from None


IMAGE_FIELD = FieldInfo(
    annotation=ImageChoice | None,
    default=None,
    description="Image of a file that holds several: its name, or its number from 0; a pattern such as ``B/*`` takes "
    "several. It may also stand behind the file, as in ``scan.lif::B/3``.",
)
"""How an image of a file is chosen; it becomes part of :attr:`SourceRef.uri`."""


class Box(Document):
    """A box in pixels of the source level; an axis that is left out is taken whole."""

    type: Literal["box"] = "box"
    t: Range | None = None
    """First and one past last time point."""
    z: Range | None = None
    """First and one past last plane."""
    y: Range | None = None
    """First and one past last row."""
    x: Range | None = None
    """First and one past last column."""

    @field_validator("t", "z", "y", "x")
    @classmethod
    def _not_empty(cls, value: Range | None) -> Range | None:
        if value is not None and not 0 <= value[0] < value[1]:
            raise ValueError(f"{value[0]}:{value[1]} is empty; a range is start:stop with 0 <= start < stop")
        return value

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``y=0:512,x=128:640`` or the short form ``0:512,128:640`` (rows, columns)."""
        parts = [p for p in text.replace(" ", "").split(",") if p]
        named: dict[str, Any] = {}
        for position, part in enumerate(parts):
            name, _, span = part.rpartition("=")
            if not name and len(parts) == 1:
                raise JobError(
                    f"region {text!r}", "one range does not say which axis it is along", f"write y={part} or x={part}"
                )
            name = name or "tzyx"[4 - len(parts) + position : 5 - len(parts) + position]
            try:
                start, stop = (int(v) for v in span.split(":"))
            except ValueError:
                raise JobError(
                    f"region {text!r}",
                    "a region is 'y=0:512,x=128:640' or '0:512,128:640'",
                    "write start:stop per axis",
                ) from None
            named[name] = (start, stop)
        return cls.read(named, "region")


class Shape(Document):
    """A region given by a file; outside of it nothing is computed."""

    type: Literal["polygon", "mask"] = "polygon"
    """``polygon``: a GeoJSON or ImageJ ROI file in pixels of full resolution; ``mask``: an image, 0 outside."""
    uri: Location
    """Path or URL of the file."""

    @classmethod
    def of_file(cls, path: str | Path) -> Self:
        """Return the region that a file holds: polygons by the ending of its name, any other file is a mask."""
        polygons = name_in(path).lower().endswith((".geojson", ".json", ".roi", ".zip"))
        return cls(type="polygon" if polygons else "mask", uri=str(path))


def read_region(text: str) -> Box | Shape:
    """Read a region from one line: a box as in :meth:`Box.parse`, or the path of a file.

    Files that end with ``.geojson``, ``.json``, ``.roi`` or ``.zip`` hold polygons, any other is a mask.

    Raises
    ------
    JobError
        If it is neither.
    """
    if re.fullmatch(r"[tzyx\d:=,\s-]+", text):
        return Box.parse(text)
    path = full_path(text)
    if not is_url(path) and not os.path.exists(path):
        raise JobError(
            f"region {text!r}",
            "a region is a box such as '0:512,128:640' or 'y=0:512,x=128:640', or a file of outlines or a mask",
            "write start:stop per axis, or name a file that exists",
        )
    return Shape.of_file(path)


class Job(Document):
    """Everything that a run needs, and that repeats it.

    Paths are written in full when a job is made: a relative path, also one in a job file, starts at the working
    folder, and ``~`` is the home folder.

    Examples
    --------
    >>> import napari_s1omni
    >>> job = napari_s1omni.Job(
    ...     source={"uri": "/data/cells.tif"},
    ...     output="file:///data/nuclei.zarr",
    ...     operation={"type": "segmentation", "min_size": "30 um2"},
    ... )
    >>> print(job.dump())
    schema_version: 1
    source:
      uri: /data/cells.tif
    output: /data/nuclei.zarr
    operation:
      type: segmentation
      min_size: 30 um2
    <BLANKLINE>
    """

    schema_version: Literal[1] = 1
    source: SourceRef
    """The image; a plain string is its path or URL."""
    output: Annotated[str | None, BeforeValidator(_settle_output)] = None
    """Folder of the result, an OME-Zarr image; left out, a temporary folder."""
    into: Annotated[str | None, AfterValidator(_check_label_name)] = None
    """Write labels into the source's own ``labels/<into>`` instead of `output`; the source is an OME-Zarr image, or one
    of its levels."""
    region: Box | Shape | None = Field(None, discriminator="type")
    """Part of the source to run: a box such as ``y=0:512,x=0:512``, or a file with polygons or a mask; left out,
    the whole source."""
    operation: AnyOperation
    """The operation with its fields."""
    tiling: Tiling = Tiling()
    """Sizes of tiles and blocks."""
    sampling: Sampling = Sampling()
    """Parameters of thinking and denoising."""
    engine: Annotated[str, BeforeValidator(_settle_engine)] = "auto"
    """Name of an engine, a folder with a checkpoint, or ``auto``."""
    _folder: str = PrivateAttr(default_factory=lambda: settled_path("."))

    @property
    def full_output(self) -> str | None:
        """The output in full: a relative one lies in the folder that was the working folder when the job was made."""
        if self.output is None or is_url(self.output):
            return self.output
        return os.path.join(self._folder, self.output)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, validated like a new document."""
        copy = super().replace(**changes)
        if "output" not in changes:
            copy._folder = self._folder  # noqa: SLF001 (of the same class)
        return copy

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: Any) -> Any:
        if isinstance(data, dict):
            data = dict(data)
            if isinstance(data.get("source"), str | os.PathLike):
                data["source"] = {"uri": data["source"]}
            if isinstance(data.get("region"), str | os.PathLike):
                data["region"] = read_region(os.fspath(data["region"])).model_dump(exclude_none=True)
            if isinstance(data.get("region"), dict):
                data["region"] = {"type": "box", **data["region"]}
        return data

    @model_validator(mode="after")
    def _check_output(self) -> Self:
        if self.into and self.output:
            raise ValueError("'into' writes into the source's own store; leave 'output' out")
        if self.into and self.operation.type != "segmentation":
            raise ValueError("'into' holds labels; only a segmentation can be written there")
        return self

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a job from a YAML or JSON file.

        Raises
        ------
        JobError
            If the file cannot be read or holds something a job does not know.
        """
        path = local_path(path, "job file", "download it, or call 's1omni run' with its URL")
        data = read_yaml(path, "job file")
        if not isinstance(data, dict):
            raise JobError(
                f"job file {path} holds {'nothing' if data is None else 'no keys'}",
                "a job has the keys source and operation, and others",
                "write them as the README shows",
            )
        operation = data.get("operation")
        check_prompt(operation.get("prompt") if isinstance(operation, dict) else None)
        return cls.read(data, str(path))

    def dump(self, *, prompt: bool = False) -> str:
        """Return the job as YAML, without fields that have their default; with `prompt`, the prompt is there anyway."""
        data = json.loads(self.model_dump_json(exclude_defaults=True))
        asked = {"prompt": self.operation.prompt} if prompt else {}
        data["operation"] = {"type": self.operation.type, **asked, **data.get("operation", {})}
        text: str = yaml.safe_dump({"schema_version": self.schema_version, **data}, sort_keys=False, allow_unicode=True)
        return text


def check_prompt(prompt: object) -> None:
    """Refuse a prompt that is given but empty.

    Raises
    ------
    JobError
        If it has no word.
    """
    if isinstance(prompt, str) and not prompt.strip():
        raise JobError(
            "the prompt is empty", "a prompt says what to do", "write it, or leave it out to use the default"
        )


def output_path(job: Job) -> Path:
    """Return the folder that a job writes.

    Raises
    ------
    JobError
        If the job has no output, one behind a URL, or a source that takes no labels.
    """
    if job.into:
        return image_of(job.source.uri)[0] / "labels" / job.into
    if not job.output:
        raise JobError("the job has no output", "an output is a folder", "name one")
    # As it is written first: within a folder, a path of Windows looks like one of this machine.
    full_path(job.output)
    return local_path(str(job.full_output))
