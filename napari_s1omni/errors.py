"""Everything this package raises on purpose.

::

    S1OmniError
    ├── JobError              what a human wrote cannot be understood            exit 2
    ├── SourceError           the image cannot be read or is not an image        exit 66
    ├── PlanError             job and image do not fit together                  exit 65
    │   └── NotEnoughMemory   the forecast does not fit this machine             exit 65
    ├── EngineError           an engine cannot do its work                       exit 69
    │   ├── EngineUnavailable missing package, weights or device                 exit 69
    │   ├── CheckpointError   a folder of weights is damaged or not one          exit 69
    │   ├── OperationRefused  this engine does not do this operation             exit 69
    │   ├── EngineOutOfMemory the micro-batch does not fit; a smaller one is tried exit 69
    │   └── TileError         one tile failed; the run goes on                   exit 3
    │       ├── RouteError        the thought chose no route or another one
    │       ├── ThoughtError      endless, repeating or unreadable thought
    │       └── GenerationError   the drawn tile is not finite or of the wrong shape
    ├── StoreError            the output cannot be written or read               exit 73
    │   ├── StoreExists       another result or another file is there            exit 73
    │   ├── StoreLocked       another run is writing it                          exit 73
    │   ├── StoreDamaged      what is there is incomplete or altered             exit 74
    │   └── PlanMismatch      the run there was made by another plan             exit 73
    ├── ClusterError          workers or their scheduler are gone; state is kept exit 75
    ├── DiskFull              no space left; the state is kept                   exit 75
    └── RunInterrupted        stopped by the user; the state is kept             exit 130

Each error carries ``facts`` (a dict) and composes one sentence of three parts:
what was given, what is allowed, what to do. ``exit_code`` is the status with
which the command line ends.
"""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "ClusterError",
    "DiskFull",
    "EngineError",
    "EngineOutOfMemory",
    "EngineUnavailable",
    "GenerationError",
    "JobError",
    "NotEnoughMemory",
    "OperationRefused",
    "PlanError",
    "PlanMismatch",
    "RouteError",
    "RunInterrupted",
    "S1OmniError",
    "SourceError",
    "StoreDamaged",
    "StoreError",
    "StoreExists",
    "StoreLocked",
    "ThoughtError",
    "TileError",
]


class S1OmniError(Exception):
    """Base of all errors of this package; catch it around any public call.

    Parameters
    ----------
    given : str
        What was found, with the value and where it stands.
    allowed : str, optional
        What would have been right.
    remedy : str, optional
        What to do about it, as an imperative.
    **facts : object
        The same as data, for programs.
    """

    exit_code = 1

    def __init__(self, given: str, allowed: str = "", remedy: str = "", **facts: object) -> None:
        self.given = given
        self.allowed = allowed
        self.remedy = remedy
        self.facts = facts
        super().__init__(" ".join([_sentence(given), *(_begun(_sentence(part)) for part in (allowed, remedy) if part)]))

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling between processes: keyword facts are restored as state."""
        return type(self), (self.given, self.allowed, self.remedy), {"facts": self.facts}


def _sentence(part: str) -> str:
    part = part.strip()
    return part if part.endswith((".", "!", "?", ":")) else part + "."


def _begun(sentence: str) -> str:
    """Begin with a capital what begins with a word; a letter or a name of code stays as it is."""
    word = sentence.split(" ", 1)[0].rstrip(",;:")
    return sentence[0].upper() + sentence[1:] if word == "a" or (len(word) > 1 and word.isalpha()) else sentence


class JobError(S1OmniError):
    """What a human wrote (option, YAML key, value) cannot be understood."""

    exit_code = 2


class SourceError(S1OmniError):
    """The source is missing, unreadable, or not an image of known axes."""

    exit_code = 66


class PlanError(S1OmniError):
    """Job and image do not fit together; raised before any model is loaded."""

    exit_code = 65


class NotEnoughMemory(PlanError):
    """The plan's forecast of memory is above what this machine has."""


class EngineError(S1OmniError):
    """An engine cannot do its work."""

    exit_code = 69


class EngineUnavailable(EngineError):
    """The engine is unknown here, or its package, weights or device are missing."""


class CheckpointError(EngineError):
    """A folder of weights is damaged, incomplete, or not a checkpoint."""


class OperationRefused(EngineError):
    """The engine does not do this operation; the sentence names those that do."""


class EngineOutOfMemory(EngineError):
    """The device has no room for the micro-batch. The run halves it; only a single tile too large ends it."""


class TileError(EngineError):
    """One tile failed. The run goes on and records the tile as failed."""

    exit_code = 3


class RouteError(TileError):
    """The thought ended without a route token, or with that of another task."""


class ThoughtError(TileError):
    """The thought is endless, repeating, or states nothing that can be acted on."""


class GenerationError(TileError):
    """The drawn tile holds values that are not finite, or has a wrong shape."""


class StoreError(S1OmniError):
    """The output cannot be written or read."""

    exit_code = 73


class StoreExists(StoreError):
    """Something else is already there."""


class StoreLocked(StoreError):
    """Another process is writing this output now."""


class StoreDamaged(StoreError):
    """What is there is incomplete or was altered."""

    exit_code = 74


class PlanMismatch(StoreError):
    """The output was begun with another plan; ``facts['keys']`` names what differs."""


class ClusterError(S1OmniError):
    """Workers or their scheduler are gone or never came. Nothing is lost: mend it and resume."""

    exit_code = 75


class DiskFull(S1OmniError):
    """No space is left. Nothing is lost: free some space and resume."""

    exit_code = 75


class RunInterrupted(S1OmniError):
    """Stopped by the user after the tile in hand. Nothing is lost: resume."""

    exit_code = 130
