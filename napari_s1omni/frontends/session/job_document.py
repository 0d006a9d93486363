"""A job while it is edited, as plain data without its source and output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_s1omni.errors import JobError
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.planning.job import Job


class JobDocument:
    """The fields of a job that differ from their defaults, nested as in a job file.

    Attributes
    ----------
    data : dict
        The fields.
    output : str or None
        Folder of the result; None is a new one in the cache folder.
    """

    def __init__(self) -> None:
        self.data: dict[str, Any] = {"operation": {"type": "segmentation"}}
        self.output: str | None = None
        self._other_operations: dict[str, dict[str, Any]] = {}

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
        """Take over the fields of a job, except the path of its source."""
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
