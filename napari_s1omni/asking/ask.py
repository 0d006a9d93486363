"""The public functions: ask a question about an image, and replay what was looked at and measured."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from napari_s1omni.asking.answer import Answer
from napari_s1omni.asking.measured_question import NAME as REFERENCE
from napari_s1omni.asking.question import Question
from napari_s1omni.asking.replay import Replay
from napari_s1omni.asking.session import Asking, replay_folder
from napari_s1omni.storage.source import open_source


def ask(
    source: Any,
    text: str,
    *,
    region: str | Path | None = None,
    endpoint: str = REFERENCE,
    mode: Literal["auto", "reason", "look"] = "auto",
    z: int | None = None,
    t: int | None = None,
    channels: tuple[int, ...] | None = None,
    transcript: str | Path | None = None,
    **limits: float,
) -> Answer:
    """Answer a question about an image of any size.

    Parameters
    ----------
    source : str, Path or array
        Path or URL of an image, or an array.
    text : str
        The question.
    region : str or Path, optional
        Part that may be looked at: a box such as ``"0:512,128:640"`` (rows, columns), or a file of outlines or a mask.
    endpoint : str
        Name or URL of an endpoint. ``reference`` counts and measures, and needs no model.
    mode : {'auto', 'reason', 'look'}
        Answer from the first picture, look closer by code, or decide.
    z, t : int, optional
        Plane and time point to begin with; by default the middle one and the first.
    channels : tuple of int, optional
        Channels to begin with; by default all.
    transcript : str or Path, optional
        New folder for all that was seen, run and said; by default one in the cache folder.
    **limits : float
        Fields of :class:`~napari_s1omni.asking.question.QuestionLimits`, such as ``rounds=4``.

    Returns
    -------
    Answer
        Words, the values that were measured, the places they rest on, and the folder of the transcript.

    Raises
    ------
    JobError
        If a value is not allowed.
    SourceError, ViewError
        If the image, or the part that is asked about, cannot be read.
    UnknownQuestion
        If it cannot be answered by measuring, and no endpoint was chosen.
    EndpointError, ConsentMissing
        If the model cannot be reached, or nobody agreed that pictures leave this computer.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_s1omni
    >>> image = np.zeros((100, 100), np.uint8)
    >>> image[20:40, 20:40] = image[60:80, 50:75] = 200
    >>> answer = napari_s1omni.ask(image, "How many objects are there?")
    >>> answer.text
    '2 bright objects.'
    """
    known = isinstance(source, str | os.PathLike)
    fields = {
        "source": os.fspath(source) if known else "memory:asked",
        "text": text,
        "region": None if region is None else os.fspath(region),
        "endpoint": endpoint,
        "mode": mode,
        "z": z,
        "t": t,
        "channels": channels,
        "limits": limits or None,
    }
    question = Question.read({name: value for name, value in fields.items() if value is not None}, "question")
    folder = None if transcript is None else Path(transcript)
    with Asking(question, folder, source=None if known else open_source(source)) as asking:
        return asking.ask()


def replay(transcript: str | Path, source: Any = None) -> Replay:
    """Run the code of an answered question again, and compare every value and picture bit by bit.

    Parameters
    ----------
    transcript : str or Path
        Folder of the question, as :attr:`Answer.transcript` names it.
    source : str, Path or array, optional
        The same image, if it has moved or was an array.

    Returns
    -------
    Replay
        How much was compared, and what differs.

    Raises
    ------
    StoreMissing, StoreDamaged
        If there is no transcript, it is damaged, or the image is another one.
    SandboxMissing
        If no code can be run confined here.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_s1omni
    >>> image = np.zeros((100, 100), np.uint8)
    >>> image[20:40, 20:40] = image[60:80, 50:75] = 200
    >>> answer = napari_s1omni.ask(image, "How large are the objects?")
    >>> napari_s1omni.replay(answer.transcript, image).differences
    ()
    """
    return replay_folder(Path(transcript), source)
