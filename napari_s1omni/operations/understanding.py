"""How a request for segmentation is understood by an engine, said before it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from napari_s1omni.core.requests.reading import Request, read_request
from napari_s1omni.core.sizes.lengths import format_length
from napari_s1omni.core.sizes.object_size import object_size_in_words
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.errors import JobError
from napari_s1omni.operations.pixel_size import pixel_um

_EXAMPLE = "write what to find, such as 'segment the nuclei, about 20 px' or 'segment all objects'"
_SHOWN = 4
"""Words that a sentence names; there may be more."""
_SMALLEST = 2.0
"""Objects below this diameter in px cannot be outlined."""


class Doubt(NamedTuple):
    """What a user should read before a run."""

    brief: str
    """In a few words."""
    sentence: str
    """With the reason and what to do, for the notes of a plan."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """A request as an engine understands it."""

    understood: str = ""
    """What it asks for: ``nuclei, dark, about 12 px``; empty if nobody can say before the run."""
    left: str = ""
    """What it leaves to the engine, as a sentence."""
    doubts: tuple[Doubt, ...] = ()
    """What of it is not understood or cannot be used."""
    polarity: str | None = None
    """``bright`` or ``dark`` if it says so."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of it, for the notes of a plan."""
        read = (f"Understood: {self.understood}. {self.left}".strip(),) if self.understood else ()
        return (*read, *(doubt.sentence for doubt in self.doubts))


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
    doubts = [Doubt(_brief(sentence), sentence) for sentence in size.ignored] + _size_doubts(size.pixels, spec)
    words = engine.vocabulary
    if words is None:
        return Understanding(doubts=tuple(doubts))
    request = read_request(prompt, words.languages, words.adjectives)
    if not request.wants:
        raise _asks_for_nothing(prompt, request, engine)
    if request.unknown:
        text = f"{_quoted(request.unknown)} {_are(request.unknown)} not understood."
        doubts.append(Doubt(text, f"{text} Engine '{engine.name}' takes no notice of it."))
    if request.left_out:
        text = f"{_quoted(request.left_out)} {_are(request.left_out)} not followed"
        doubts.append(Doubt(f"{text}.", f"{text}: nothing is left out but objects outside of min_size and max_size."))
    if request.other_kinds:
        text = f"{_quoted(request.other_kinds)} {_are(request.other_kinds)} not asked for"
        doubts.append(Doubt(f"{text}.", f"{text}: one kind of object is found at a time."))
    understood, left = _understood(request, size.pixels, spec, words.kinds)
    return Understanding(understood, left, tuple(doubts), request.polarity)


def _understood(request: Request, size: float | None, spec: LayerSpec, kinds: bool) -> tuple[str, str]:
    """Return what is understood, and what is left to the engine."""
    kind = "objects" if request.kind in (None, "bodies") else str(request.kind)
    parts = [kind]
    if request.polarity:
        parts.append(request.polarity)
    if size is not None:
        pixel = pixel_um(spec)
        parts.append(f"about {size:.4g} px" + (f" ({format_length(size * pixel)})" if pixel else ""))
    left = [name for name, value in (("Brightness", request.polarity), ("size", size)) if value is None]
    sentences = [f"{' and '.join(left)} {'are' if len(left) > 1 else 'is'} measured.".capitalize()] if left else []
    if not kinds and kind != "objects":
        sentences.append("The engine does not tell kinds of objects apart: it finds what stands out.")
    return ", ".join(parts), " ".join(sentences)


def _size_doubts(size: float | None, spec: LayerSpec) -> list[Doubt]:
    if size is None:
        return []
    height, width = spec.size("y"), spec.size("x")
    if size > max(height, width):
        text = f"{size:.4g} px is larger than the image"
        return [Doubt(f"{text}.", f"{text} ({height:,} x {width:,} px): no object of this size can be found.")]
    if size < _SMALLEST:
        text = f"{size:.3g} px is too small to be outlined."
        return [Doubt(text, f"{text} Objects of two pixels and more can be.")]
    return []


def _brief(sentence: str) -> str:
    """Return what is not used and why, without what to do about it."""
    return sentence.replace(" as the object size", "").split(";")[0].rstrip(".") + "."


def _are(words: tuple[str, ...]) -> str:
    return "is" if len(words) == 1 else "are"


def _asks_for_nothing(prompt: str, request: Request, engine: EngineDescription) -> JobError:
    if request.unknown:
        given = f"engine '{engine.name}' understands no word of '{_short(prompt)}'"
    else:
        given = f"'{_short(prompt)}' asks for nothing"
    return JobError(given, "what should be segmented?", _EXAMPLE, prompt=prompt)


def _quoted(words: tuple[str, ...]) -> str:
    shown = ", ".join(f"'{word}'" for word in words[:_SHOWN])
    return f"{shown} and {len(words) - _SHOWN} more" if len(words) > _SHOWN else shown


def _short(prompt: str) -> str:
    plain = " ".join(prompt.split())
    return plain if len(plain) <= 60 else f"{plain[:57]}..."
