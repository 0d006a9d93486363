"""A job while it is edited, as plain data without its source and output.

What belongs to one image layer - its axes and channels, the region, and where the result goes - is kept with that
layer, and never applies to another one.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_s1omni.errors import JobError
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.planning.job import Job

_OF_LAYER = ("source", "region", "into")
"""Sections and fields that belong to a layer, beside the channels of the operation."""


@dataclass(slots=True)
class LayerFields:
    """What was chosen for one layer."""

    data: dict[str, Any] = field(default_factory=dict)
    """Sections and fields of the job."""
    channels: Any = None
    """Channels of the operation; None are all."""
    output: str | None = None
    """Folder of the result."""
    region_from: str = "whole"
    """How the region was chosen: ``whole``, ``view`` or ``shape``."""


class JobDocument:
    """The fields of a job that differ from their defaults, nested as in a job file.

    Attributes
    ----------
    data : dict
        The fields.
    output : str or None
        Folder of the result; None is a new one in the cache folder.
    region_from : str
        How the region was chosen: ``whole``, ``view`` or ``shape``.
    """

    def __init__(self) -> None:
        self.data: dict[str, Any] = {"operation": {"type": "segmentation"}}
        self.output: str | None = None
        self.region_from = "whole"
        self._other_operations: dict[str, dict[str, Any]] = {}
        self._layer: Hashable = None
        self._kept: dict[Hashable, LayerFields] = {}
        self._is_loaded = False

    def choose_layer(self, key: Hashable) -> bool:
        """Put the fields of the present layer away and take those of another one; return whether fields changed.

        Parameters
        ----------
        key : hashable
            Identifies the layer; None is no layer. What was entered without a layer goes to the first one, and a job
            that was loaded goes to the layer that is chosen next.
        """
        before, self._layer = self._layer, key
        if self._is_loaded or key == before:
            self._is_loaded = False
            return False
        if before is None and key not in self._kept:
            return False
        self._kept[before] = self._take_fields()
        self._put_fields(self._kept.pop(key, LayerFields()))
        return True

    def drop_region(self, key: Hashable) -> None:
        """Make the whole layer the region that is kept for a layer."""
        fields = self._kept.get(key)
        if fields is not None:
            fields.data.pop("region", None)
            fields.region_from = "whole"

    def _take_fields(self) -> LayerFields:
        data = {name: self.data[name] for name in _OF_LAYER if name in self.data}
        return LayerFields(data, self.data["operation"].get("channels"), self.output, self.region_from)

    def _put_fields(self, fields: LayerFields) -> None:
        others = {name: value for name, value in self.data.items() if name not in _OF_LAYER}
        operation = {name: value for name, value in others["operation"].items() if name != "channels"}
        if fields.channels is not None:
            operation["channels"] = fields.channels
        for other in self._other_operations.values():
            other.pop("channels", None)
        self.data = {**others, **fields.data, "operation": operation}
        self.output, self.region_from = fields.output, fields.region_from

    def changed_fields(self, *shown: str) -> dict[str, Any]:
        """Return the fields that differ from their defaults, by dotted name, without those of some names."""
        found = {}
        for section, value in self.data.items():
            parts = value if isinstance(value, dict) and section != "region" else {"": value}
            for name, one in parts.items():
                path = f"{section}.{name}" if name else section
                if one not in (None, {}) and path not in shown:
                    found[path] = one
        return found

    def edit(self, path: str, value: Any) -> bool:
        """Change one field; return whether the document changed.

        Parameters
        ----------
        path : str
            Names joined by dots, such as ``tiling.tile_size``.
        value : plain data
            None resets the field to its default.
        """
        *sections, name = path.split(".")
        at = self.data
        for section in sections:
            at = at.setdefault(section, {})
        if at.get(name) == value and (value is None or name in at):
            return False
        if value is None:
            at.pop(name, None)
        else:
            at[name] = value
        return True

    def choose_operation(self, kind: str) -> bool:
        """Change the operation, keeping the fields of the other one; return whether the document changed."""
        current = self.data["operation"]
        if current["type"] == kind:
            return False
        self._other_operations[current["type"]] = current
        self.data = {**self.data, "operation": self._other_operations.get(kind, {"type": kind})}
        return True

    def load(self, job: Job) -> None:
        """Take over the fields of a job, except the path of its source; they go to the layer that is chosen next."""
        self._kept[self._layer] = self._take_fields()
        self._is_loaded = True
        data = job.model_dump(mode="json", exclude_defaults=True)
        for name in ("output", "schema_version"):
            data.pop(name, None)
        # The layer determines the image, the job how it is read.
        data["source"].pop("uri")
        if not data["source"]:
            del data["source"]
        data["operation"] = {"type": job.operation.type, **data.get("operation", {})}
        self.data = data
        self.output = job.output
        self.region_from = "whole" if job.region is None else "shape"

    def job(self, source: LayerSource | None, ref: Mapping[str, Any] | None = None) -> Job:
        """Return the job on a source.

        Parameters
        ----------
        source : LayerSource, optional
        ref : mapping, optional
            Reference to the source, instead of that of `source`.

        Raises
        ------
        JobError
            If there is neither, or a field is wrong.
        """
        if ref is None:
            if source is None:
                raise no_layer()
            ref = source.ref.model_dump(mode="json")
        operation = dict(self.data["operation"])
        if source is not None and source.channel is not None and "channels" not in operation:
            operation["channels"] = [source.channel]
        own = self.data.get("source", {})
        return Job.read({**self.data, "source": {**ref, **own}, "output": self.output, "operation": operation})


def no_layer() -> JobError:
    """Return the error of a job without a layer."""
    return JobError("no image layer is chosen", "an image layer", "open an image, or choose its layer")
