"""Engine descriptions: the facts about an engine that are known without loading it, and from which plans are made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Encoding = Literal["fields", "overlay"]
"""How an engine draws a mask: as :data:`FIELDS`, or as a translucent colour over the source."""

FIELDS = ("foreground", "interior", "distance")
"""Channels of a mask encoded as ``fields``, each from 0 to 1: the probability that the pixel belongs to an object, the
probability that it belongs to the eroded inside of an object, and the distance to the object's border divided by the
largest such distance in the object."""


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Sizes that an engine can draw, in pixels of the drawn tile."""

    multiple_of: int = 1
    """Height and width must be multiples of this."""
    min_size: int = 8
    """Shortest edge."""
    max_size: int = 4096
    """Longest edge."""


@dataclass(frozen=True, slots=True)
class NativeSize:
    """The drawn sizes at which a model was trained; at others it draws worse.

    Raises
    ------
    ValueError
        If the edge is not positive.
    """

    edge: int
    """Edge in drawn px of the squares that it was trained on."""
    keeps_aspect: bool = False
    """Whether it was trained on other aspects too, in as many pixels; otherwise on squares alone."""
    smaller: Literal["resized", "drawn"] = "resized"
    """What training did with images that are smaller: they were resized to this size, or drawn at their own."""

    def __post_init__(self) -> None:
        if self.edge < 1:
            raise ValueError(f"{self}: an edge is 1 px or more")


@dataclass(frozen=True, slots=True)
class EngineMemory:
    """Terms of the memory estimate, in bytes."""

    resident: int = 0
    """Held while the engine is loaded: weights, tokenizer, libraries."""
    per_tile_pixel: float = 64.0
    """Peak working memory for each drawn pixel of a micro-batch."""


@dataclass(frozen=True, slots=True)
class Division:
    """How touching objects are separated in the :data:`FIELDS` that an engine draws.

    The best values depend on the engine; they are used by
    :func:`napari_s1omni.operations.instance_segmentation.label_plane`.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    distance: float = 0.5
    """Weight, 0 to 1, of the drawn distance in the depth map that is divided; the rest is the distance transform of
    the foreground."""
    rise: float = 0.08
    """Smallest rise of an object's peak above its saddle to a neighbour, in the natural logarithm of the depth. Being
    relative, it divides small and large objects alike."""
    least: float = 0.0
    """Mean foreground, 0 to 1, below which an object is discarded."""

    def __post_init__(self) -> None:
        if not (0 <= self.distance <= 1 and 0 <= self.least <= 1 and self.rise >= 0):
            raise ValueError(f"{self}: distance and least are 0 to 1, rise is 0 or more")


DIVISION = Division()
"""Used for an engine that states no other."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that an engine understands in a request for segmentation, beside sizes.

    A request that says nothing of this is refused before anything runs, and words that change nothing are named.
    """

    languages: tuple[str, ...]
    """Languages of :mod:`napari_s1omni.core.requests.words` in which it knows names and brightness."""
    kinds: bool
    """Whether it tells kinds of objects apart; otherwise it finds whatever stands out."""
    adjectives: tuple[str, ...] = ()
    """Further words that it understands, such as ``small``."""
    ignores: tuple[str, ...] = ()
    """Operation types for which it reads no prompt at all."""


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """The part of a description that determines the pixels of a result; all of it is in a run's fingerprint."""

    name: str
    """Name under which the engine is loaded, never ``auto``."""
    revision: str
    """Changes whenever code or weights would give other pixels."""
    operations: tuple[str, ...]
    """Operation types it performs: ``segmentation``, ``super_resolution``, ``modality_translation``."""
    limits: EngineLimits = EngineLimits()
    tile_size: int = 256
    """Default tile edge, in source pixels."""
    overlap: int = 64
    """Default overlap of two neighbouring tiles, in source pixels."""
    micro_batch: int = 8
    """Tiles per call. Fixed, since the composition of a batch can change bits."""
    targets: tuple[str, ...] = ()
    """Modalities it translates to, lower case; empty if it takes any."""
    encoding: Encoding = "fields"
    """How it draws a mask."""
    division: Division = DIVISION
    """How touching objects are separated in its masks."""
    think: Literal["per_tile", "per_region", "once", "off"] = "per_tile"
    """How often it thinks unless the job says otherwise."""
    generates: bool = True
    """Whether a generative model draws its images, so that they must be marked as generated."""
    threads: int = 0
    """CPU threads it computes with in every worker, if their number changes bits; 0 if it does not."""
    expects_error: bool = False
    """Whether it draws a fourth plane: the error to expect of each pixel, in model range."""


@dataclass(frozen=True, slots=True)
class EngineHost:
    """The part of a description that depends on this machine and on how the engine was chosen, unlike the pixels."""

    memory: EngineMemory = EngineMemory()
    seconds_per_tile: float | None = None
    """Expected time of one tile, for estimates; None if unknown."""
    devices: tuple[str, ...] = ("cpu",)
    """Device types it can run on, preferred one first."""
    gpus: int = 0
    """GPUs that each worker needs."""
    placement: str = ""
    """Which device holds which component, or what would be needed to hold them, as a sentence; empty on a CPU."""
    why: str = ""
    """Why ``auto`` chose this engine; empty if it was named by the user."""


@dataclass(frozen=True, slots=True)
class EngineDescription(EngineIdentity):
    """Everything known about an engine before it is loaded: its :attr:`identity`, its :attr:`host`, and texts."""

    host: EngineHost = EngineHost()
    title: str = ""
    """One line for people."""
    citation: str = ""
    """What to cite."""
    weights_license: str = "none (no weights)"
    """Licence of the weights; begins with ``none`` if there are no weights."""
    vocabulary: Vocabulary | None = dataclasses.field(default=None, compare=False)
    """The words it understands; None if it reads any. Not stored with a plan: it is asked for before a run only."""
    takes_polarity: bool = dataclasses.field(default=False, compare=False)
    """Whether masks get better if each instruction says the polarity that was measured on the layer; not stored."""
    takes_one_stain: bool = dataclasses.field(default=False, compare=False)
    """Whether nuclei of a brown section are found better in hematoxylin alone; not stored."""
    takes_even_ground: bool = dataclasses.field(default=False, compare=False)
    """Whether bright objects on uneven ground are found better if that is evened before tiles are drawn; not stored."""
    margin: int = dataclasses.field(default=0, compare=False)
    """Largest margin around a tile, in source px, that a thought may ask for; not stored with a plan either."""
    native: NativeSize | None = dataclasses.field(default=None, compare=False)
    """The sizes at which it was trained; None if it draws any size alike. Not stored: a plan states what follows."""

    @property
    def identity(self) -> EngineIdentity:
        """The fields that determine pixels."""
        return EngineIdentity(**{field.name: getattr(self, field.name) for field in dataclasses.fields(EngineIdentity)})

    def translates_to(self, target: str) -> bool:
        """Whether it takes `target` as the modality to translate to."""
        return not self.targets or target.strip().casefold() in self.targets

    def to_json(self) -> dict[str, Any]:
        """Plain data for JSON; inverse of :meth:`from_json`."""
        texts = {"title": self.title, "citation": self.citation, "weights_license": self.weights_license}
        return {"identity": _plain(self.identity), "host": _plain(self.host), **texts}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a description back from a stored plan.

        Plans stored before identity and host were separated list all fields in one flat mapping; both forms are read.
        """
        flat: dict[str, Any] = dict(data)
        flat.update(flat.pop("identity", {}), **flat.pop("host", {}))
        flat = {name: tuple(value) if isinstance(value, list) else value for name, value in flat.items()}
        flat["limits"] = EngineLimits(**flat["limits"])
        flat["memory"] = EngineMemory(**flat["memory"])
        flat["division"] = Division(**flat.get("division", {}))
        host = {field.name: flat.pop(field.name) for field in dataclasses.fields(EngineHost) if field.name in flat}
        return cls(**flat, host=EngineHost(**host))


def _plain(value: EngineIdentity | EngineHost) -> dict[str, Any]:
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in dataclasses.asdict(value).items()}
    # Left out where it is off, as in outputs that were written before engines could draw it.
    return {name: v for name, v in plain.items() if name != "expects_error" or v}
