"""The known benchmarks of questions by name."""

from __future__ import annotations

from napari_s1omni.evaluation.questions.galaxy10 import Galaxy10
from napari_s1omni.evaluation.questions.item import QuestionSet
from napari_s1omni.evaluation.questions.judged import SFE, Physics, VRSBench
from napari_s1omni.evaluation.questions.mathv import MathV
from napari_s1omni.evaluation.questions.mme_realworld import MMERealWorld
from napari_s1omni.evaluation.questions.multiple_choice import GMAI, MMMU, HRBench, VStar

_ALL: tuple[QuestionSet, ...] = (
    VStar(),
    HRBench(),
    MMERealWorld(),
    MMMU(),
    MathV(),
    SFE(),
    Physics(),
    VRSBench(),
    GMAI(),
    Galaxy10(),
)
QUESTION_SETS: dict[str, QuestionSet] = {questions.name: questions for questions in _ALL}
