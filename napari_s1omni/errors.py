"""The exceptions of this package, and the exit codes of the command line.

::

    S1OmniError                                                                exit 1
    ├── JobError              an option or a job file is wrong                   exit 2
    ├── SourceError           the source cannot be read or is not an image       exit 66
    │   └── SeveralImages     a file holds several images and none was chosen    exit 2
    ├── ViewError             a part of a layer that cannot be shown             exit 65
    ├── UnknownQuestion       a question that cannot be answered by measuring    exit 2
    ├── PlanError             job and image do not fit together                  exit 65
    │   └── NotEnoughMemory   the plan needs more memory than is free            exit 65
    ├── EngineError           an engine cannot do its work                       exit 69
    │   ├── EngineUnavailable unknown engine; missing package, weights or device exit 69
    │   ├── CheckpointError   damaged, incomplete or unknown checkpoint folder   exit 69
    │   ├── OperationRefused  the engine does not do this operation              exit 69
    │   ├── EngineOutOfMemory the micro-batch does not fit; a smaller one is tried exit 69
    │   └── TileError         one tile failed; the run continues                 exit 3
    │       ├── RouteError        the thought has no route token or a wrong one
    │       ├── ThoughtError      endless, repeating or unusable thought
    │       └── GenerationError   generated tile not finite or of wrong shape
    ├── StoreError            the output cannot be written or read               exit 73
    │   ├── StoreMissing      there is no result, or no run                      exit 66
    │   ├── StoreExists       something else is already there                    exit 73
    │   ├── StoreLocked       another run is writing it                          exit 73
    │   ├── StoreDamaged      the output is incomplete or was altered            exit 74
    │   └── PlanMismatch      the output was begun with another plan             exit 73
    ├── SandboxError          code of a model cannot be run here                 exit 69
    │   └── SandboxMissing    this machine cannot confine it                     exit 69
    ├── ClusterError          no workers or no scheduler; finished work is kept  exit 75
    ├── EndpointError         the endpoint of a chat model cannot do its work    exit 69
    │   ├── EndpointUnavailable no endpoint, no server, or it fails              exit 69
    │   ├── EndpointRefused   the server refuses the key or the request          exit 77
    │   ├── EndpointBusy      it has too much to do; ask again later             exit 75
    │   ├── EndpointTimeout   no reply, or the next piece of it, in time         exit 75
    │   ├── ModelWithoutImages the model takes no pictures                       exit 69
    │   ├── ContextTooShort   the conversation does not fit into the model       exit 65
    │   ├── ReplyDamaged      the reply is no chat completion, or was cut        exit 76
    │   │   └── ToolCallCut   the token limit cut a call                         exit 76
    │   └── ReplyEndless      the model reasons and does not answer              exit 76
    ├── ConsentMissing        nobody agreed that pictures leave this machine     exit 77
    ├── DiskFull              no space left; finished work is kept               exit 75
    └── RunInterrupted        stopped by the user; finished work is kept         exit 130

A message has three parts: what was given, what is allowed, what to do. The same
is available as attributes, and as data in ``facts``. ``exit_code`` is the exit
code of the command line.
"""

from __future__ import annotations

__all__ = [
    "CheckpointError",
    "ClusterError",
    "ConsentMissing",
    "ContextTooShort",
    "DiskFull",
    "EndpointBusy",
    "EndpointError",
    "EndpointRefused",
    "EndpointTimeout",
    "EndpointUnavailable",
    "EngineError",
    "EngineOutOfMemory",
    "EngineUnavailable",
    "GenerationError",
    "JobError",
    "ModelWithoutImages",
    "NotEnoughMemory",
    "OperationRefused",
    "PlanError",
    "PlanMismatch",
    "ReplyDamaged",
    "ReplyEndless",
    "RouteError",
    "RunInterrupted",
    "S1OmniError",
    "SandboxError",
    "SandboxMissing",
    "SeveralImages",
    "SourceError",
    "StoreDamaged",
    "StoreError",
    "StoreExists",
    "StoreLocked",
    "StoreMissing",
    "ThoughtError",
    "TileError",
    "ToolCallCut",
    "UnknownQuestion",
    "ViewError",
]


class S1OmniError(Exception):
    """Base of all errors of this package.

    Parameters
    ----------
    given : str
        What was given, with the value and its place.
    allowed : str, optional
        What is allowed.
    remedy : str, optional
        What to do, as an imperative.
    **facts : object
        The same as data.
    """

    exit_code = 1

    def __init__(self, given: str, allowed: str = "", remedy: str = "", **facts: object) -> None:
        self.given = given
        self.allowed = allowed
        self.remedy = remedy
        self.facts = facts
        super().__init__(
            " ".join([_sentence(given), *(_capitalised(_sentence(part)) for part in (allowed, remedy) if part)])
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Support pickling between processes: ``facts`` are restored as state."""
        return type(self), (self.given, self.allowed, self.remedy), {"facts": self.facts}


def _sentence(part: str) -> str:
    part = part.strip()
    return part if part.endswith((".", "!", "?", ":")) else part + "."


def _capitalised(sentence: str) -> str:
    """Capitalise a first word; a letter or a name of code stays as it is."""
    word = sentence.split(" ", 1)[0].rstrip(",;:")
    return sentence[0].upper() + sentence[1:] if word == "a" or (len(word) > 1 and word.isalpha()) else sentence


class JobError(S1OmniError):
    """An option, or a key or value of a job file, is wrong."""

    exit_code = 2


class SourceError(S1OmniError):
    """The source is missing, unreadable, or not an image with known axes."""

    exit_code = 66


class SeveralImages(SourceError):
    """A file holds several images, and one must be chosen; ``facts["images"]`` lists their names."""

    exit_code = 2


class ViewError(S1OmniError):
    """A part of a layer that cannot be shown or read for a question, or more than one question may read."""

    exit_code = 65


class UnknownQuestion(S1OmniError):
    """A question that asks for something that cannot be measured, and no model was chosen."""

    exit_code = 2


class PlanError(S1OmniError):
    """Job and image do not fit together; raised before any model is loaded."""

    exit_code = 65


class NotEnoughMemory(PlanError):
    """The plan needs more memory than is free on this machine."""


class EngineError(S1OmniError):
    """An engine cannot do its work."""

    exit_code = 69


class EngineUnavailable(EngineError):
    """The engine is unknown, or its package, weights or device are missing."""


class CheckpointError(EngineError):
    """A checkpoint folder is damaged, incomplete, or not a checkpoint."""


class OperationRefused(EngineError):
    """The engine does not do this operation or target; the message names alternatives."""


class EngineOutOfMemory(EngineError):
    """The micro-batch does not fit on the device. The run halves it, and fails only if a single tile does not fit."""


class TileError(EngineError):
    """One tile failed. The run continues and records the failed tile."""

    exit_code = 3


class RouteError(TileError):
    """The thought ended without a route token, or with the one of another task."""


class ThoughtError(TileError):
    """The thought is endless, repeating, or contains nothing usable."""


class GenerationError(TileError):
    """The generated tile contains values that are not finite, or has a wrong shape."""


class StoreError(S1OmniError):
    """The output cannot be written or read."""

    exit_code = 73


class StoreMissing(StoreError):
    """There is no folder, or it holds no result and no run."""

    exit_code = 66


class StoreExists(StoreError):
    """Something else is already there."""


class StoreLocked(StoreError):
    """Another process is writing this output."""


class StoreDamaged(StoreError):
    """The output is incomplete or was altered."""

    exit_code = 74


class PlanMismatch(StoreError):
    """The output was begun with another plan; ``facts['keys']`` lists the differences."""


class SandboxError(S1OmniError):
    """Code of a model cannot be run: its process did not start, or broke the rules of the exchange."""

    exit_code = 69


class SandboxMissing(SandboxError):
    """Nothing on this machine confines code, so none is run; ``facts["reasons"]`` says why, for each backend."""


class ClusterError(S1OmniError):
    """Workers or their scheduler stopped or never started. Finished work is kept: repair the cluster and resume."""

    exit_code = 75


class EndpointError(S1OmniError):
    """The endpoint of a chat model cannot do its work. No message holds a key."""

    exit_code = 69


class EndpointUnavailable(EndpointError):
    """No endpoint is configured, its server cannot be reached, or it fails again and again."""


class EndpointRefused(EndpointError):
    """The server refuses the key or the request, or sends it to another host."""

    exit_code = 77


class EndpointBusy(EndpointError):
    """The server has too much to do; ``facts['seconds']`` is how long it asks to wait, if it says so."""

    exit_code = 75


class EndpointTimeout(EndpointError):
    """The server is too slow: no reply, or no further piece of it, in time."""

    exit_code = 75


class ModelWithoutImages(EndpointError):
    """The model takes no pictures."""


class ContextTooShort(EndpointError):
    """The conversation does not fit into the context of the model; ``facts['context']`` is its length in tokens."""

    exit_code = 65


class ReplyDamaged(EndpointError):
    """The reply is no chat completion, or the connection was cut within it."""

    exit_code = 76


class ToolCallCut(ReplyDamaged):
    """The token limit cut a call, so that nothing may be run; ``facts['reply']`` is what was written."""


class ReplyEndless(EndpointError):
    """The model reasons and comes to no answer; ``facts['reply']`` is what was written."""

    exit_code = 76


class ConsentMissing(S1OmniError):
    """Pictures of a source would leave this machine, and nobody agreed to that. Nothing was sent."""

    exit_code = 77


class DiskFull(S1OmniError):
    """No space is left. Finished work is kept: free some space and resume."""

    exit_code = 75


class RunInterrupted(S1OmniError):
    """Stopped by the user after the current tile. Finished work is kept: resume."""

    exit_code = 130
