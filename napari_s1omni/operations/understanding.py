"""How a request for segmentation is understood by an engine, said before it runs."""

from __future__ import annotations

from dataclasses import dataclass

from napari_s1omni.core.requests.reading import Request, read_request
from napari_s1omni.core.sizes.lengths import format_length
from napari_s1omni.core.sizes.object_size import object_size_in_words
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.errors import JobError
from napari_s1omni.operations.pixel_size import pixel_um

_EXAMPLE = "write what to find, such as 'segment the nuclei, about 20 px'"
_SHOWN = 4
"""Words that a sentence names; there may be more."""
_SMALLEST = 2.0
"""Objects below this diameter in px cannot be outlined."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """A request as an engine understands it."""

    understood: str = ""
    """What it asks for: ``nuclei, dark, about 12 px``; empty if nobody can say before the run."""
    unclear: tuple[str, ...] = ()
    """What of it is not understood or cannot be used, as sentences."""
    polarity: str | None = None
    """``bright`` or ``dark`` if it says so."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Both, for the notes of a plan."""
        return ((f"Understood: {self.understood}.",) if self.understood else ()) + self.unclear


def understand(prompt: str, spec: LayerSpec, engine: EngineDescription) -> Understanding:
    """Return how an engine understands a request for segmentation.

    Parameters
    ----------
    prompt : str
    spec : LayerSpec
        The source.
    engine : EngineDescription
        Its `vocabulary` says which words it knows; without one it reads any words, and only sizes are read here.

    Raises
    ------
    JobError
        If the request asks for nothing.
    """
    if not prompt.strip():
        raise JobError("the request is empty", "what should be segmented?", _EXAMPLE, prompt=prompt)
    size = object_size_in_words(prompt, pixel_um(spec))
    unclear = [*size.ignored, *_size_remarks(size.pixels, spec)]
    if engine.vocabulary is None:
        return Understanding("", tuple(unclear))
    words = engine.vocabulary
    request = read_request(prompt, words.languages, words.adjectives)
    if not request.wants:
        raise _asks_for_nothing(prompt, request, engine)
    if request.unknown:
        unclear.append(f"Not understood: {_quoted(request.unknown)}.")
    if request.left_out:
        unclear.append(f"Nothing is left out: {_quoted(request.left_out)} cannot be followed.")
    if request.other_kinds:
        unclear.append(f"One kind of object is found at a time, so {_quoted(request.other_kinds)} is not asked for.")
    understood = _understood(request, size.pixels, spec, words.kinds)
    return Understanding(understood, tuple(unclear), request.polarity)


def _understood(request: Request, size: float | None, spec: LayerSpec, kinds: bool) -> str:
    kind = "any objects" if request.kind in (None, "objects", "bodies") else str(request.kind)
    if kind != "any objects" and not kinds:
        kind += " (any objects that stand out)"
    parts = [kind]
    if request.polarity:
        parts.append(request.polarity)
    if size is not None:
        pixel = pixel_um(spec)
        parts.append(f"about {size:.4g} px" + (f" ({format_length(size * pixel)})" if pixel else ""))
    text = ", ".join(parts)
    left = [name for name, value in (("brightness", request.polarity), ("size", size)) if value is None]
    return f"{text}; {' and '.join(left)} as measured" if left else text


def _size_remarks(size: float | None, spec: LayerSpec) -> list[str]:
    if size is None:
        return []
    height, width = spec.size("y"), spec.size("x")
    if size > max(height, width):
        return [f"Objects of {size:.4g} px are larger than the image ({height:,} x {width:,} px); none can be found."]
    if size < _SMALLEST:
        return [f"Objects of {size:.3g} px are smaller than two pixels; they cannot be outlined."]
    return []


def _asks_for_nothing(prompt: str, request: Request, engine: EngineDescription) -> JobError:
    if request.unknown:
        given = f"engine '{engine.name}' understands no word of '{_short(prompt)}'"
        remedy = f"{_EXAMPLE}; 'segment all objects' finds whatever stands out"
    else:
        given, remedy = f"'{_short(prompt)}' asks for nothing", _EXAMPLE
    return JobError(given, "what should be segmented?", remedy, prompt=prompt)


def _quoted(words: tuple[str, ...]) -> str:
    shown = ", ".join(f"'{word}'" for word in words[:_SHOWN])
    return f"{shown} and {len(words) - _SHOWN} more" if len(words) > _SHOWN else shown


def _short(prompt: str) -> str:
    plain = " ".join(prompt.split())
    return plain if len(plain) <= 60 else f"{plain[:57]}..."
