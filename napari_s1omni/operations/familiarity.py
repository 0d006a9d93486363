"""What a user should know of how like the images of an engine's training an image is."""

from __future__ import annotations

from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.familiarity.bank import ImageSample, engine_that_does_not_know
from napari_s1omni.engine.registry import familiarity
from napari_s1omni.operations.understanding import Doubt


def familiarity_notes(
    engine: EngineDescription, operation: str, image: ImageSample
) -> tuple[tuple[str, ...], tuple[Doubt, ...]]:
    """Return the notes and the doubts of a plan about an image and the engine that was chosen for it.

    Parameters
    ----------
    engine : EngineDescription
        Chosen by the user or by ``auto``, which may have passed over another engine that does not know such images.
    operation : str
        Operation type.
    image : ImageSample
    """
    like = familiarity(engine.name, operation, image)
    if like is None:
        other = engine_that_does_not_know((engine.host.why,))
        brief = f"Unlike the images that {other} knows: {engine.name} is used."
        return (), ((Doubt(brief, engine.host.why),) if other else ())
    said = f"{like.words[0].upper()}{like.words[1:]}"
    if like.known:
        return (() if like.words in engine.host.why else (f"{said}.",)), ()
    advice = "compare a part of the result with the image, or with that of engine 'reference', before you rely on it"
    doubt = Doubt(
        f"Unlike the images that {engine.name} knows.",
        f"{said}: objects may be missed, merged or invented; {advice}.",
    )
    return (), (doubt,)
