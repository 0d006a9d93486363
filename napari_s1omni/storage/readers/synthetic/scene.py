"""Scene: the settings of a synthetic source."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from napari_s1omni.core.document import Document

_JITTER = {"nuclei": 0.7, "ellipses": 0.3}
"""Width of the square in which an object's centre lies, as a fraction of the grid spacing."""
STRETCH = 0.25
"""Fraction by which a radius may differ from half the diameter."""


class Scene(Document):
    """The settings that follow ``synthetic://`` in a URI."""

    kind: Literal["nuclei", "ellipses", "nuclei-labels", "ellipses-labels"]
    """Kind of objects; with ``-labels``, their true ids instead of the image."""
    shape: tuple[int, ...] = Field(min_length=2, max_length=5)
    """Size in pixels, in the order of `axes`."""
    axes: str = ""
    """Axes; by default ``yx`` for two, ``zyx`` for three and ``tczyx`` for five dimensions."""
    seed: int = Field(0, ge=0, lt=2**63)
    """Each seed gives another scene."""
    diameter: float = Field(20.0, ge=2, le=2000)
    """Mean diameter of the objects in pixels along x."""
    spacing: float = Field(0.0, ge=0)
    """Grid spacing in pixels along x; 0 means 1.5 diameters for nuclei and 0.9 for ellipses."""
    empty: float = Field(-1.0, ge=-1, lt=1)
    """Fraction of grid cells without an object; -1 means 0.2 for nuclei and 0 for ellipses."""
    noise: float = Field(0.02, ge=0, le=1)
    """Standard deviation of the noise, as a fraction of the brightest objects."""
    dtype: Literal["uint8", "uint16", "float32"] = "uint16"
    """Pixel type of the image; labels are always uint32."""
    scale: tuple[float, ...] = ()
    """Pixel size per axis of `axes`, by default 1; objects are round in these units."""
    units: str = "micrometer"
    """Unit of `scale` along z, y and x."""
    chunk: int = Field(256, ge=16)
    """Chunk size in pixels along y and x."""

    @field_validator("shape", "scale", mode="before")
    @classmethod
    def _numbers(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        axes = self.letters
        if len(axes) != len(self.shape) or len(set(axes)) != len(axes) or not {"y", "x"} <= set(axes) <= set("tczyx"):
            raise ValueError(f"axes '{axes}' for shape {self.shape}; one letter of 'tczyx' each, with y and x")
        if min(self.shape) < 1 or (self.scale and (len(self.scale) != len(axes) or min(self.scale) <= 0)):
            raise ValueError(f"shape {self.shape} and scale {self.scale}: one number above 0 for each of '{axes}'")
        reach = self.diameter / 2 * (1 + STRETCH) / (1 - self.jitter / 2)
        if self.pitch < reach:
            raise ValueError(
                f"spacing {self.pitch:g} for diameter {self.diameter:g}; the spacing must be at least {reach:.4g}"
            )
        return self

    @property
    def letters(self) -> str:
        """Axis letters, given or default."""
        return self.axes or {2: "yx", 3: "zyx", 5: "tczyx"}.get(len(self.shape), "?")

    @property
    def pitch(self) -> float:
        """Grid spacing in pixels along x, given or default."""
        return self.spacing or self.diameter * (1.5 if self.kind.startswith("nuclei") else 0.9)

    @property
    def jitter(self) -> float:
        """Range of an object's centre, as a fraction of the grid spacing."""
        return _JITTER[self.kind.removesuffix("-labels")]

    @property
    def vacancy(self) -> float:
        """Fraction of grid cells without an object, given or default."""
        return self.empty if self.empty >= 0 else 0.2 if self.kind.startswith("nuclei") else 0.0

    @property
    def labels(self) -> bool:
        """Whether pixels are object ids."""
        return self.kind.endswith("-labels")
