"""Answers to mathematical questions: as the program of MATH-V reads and compares them, and as we do."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from napari_s1omni.evaluation.questions.latex_numbers import Value, number_of

_LETTERS = "ABCDE"
_STATEMENTS = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
_DROPPED = ("\\left", "\\right", "^{\\circ}", "^\\circ", "{m}^3", "m^3", "{units}", "units", "{km}", "km")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)|^.*?</think>", re.S)
_STATED = re.compile(r"(?i:answer)\s*(?:(?i:is|should be)\s*)?[:=]?\s*(.+)")
_SAME = 1e-9
"""Relative difference of two values that are the same to us."""


def published_answer(response: str) -> str:
    """Return the answer that the program of MATH-V reads from a response: its last box, or what it takes for one.

    Parameters
    ----------
    response : str
    """
    text = response.strip()
    for letter in _LETTERS:
        ends = (f" {letter}.", f" ({letter}).")
        begins = (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        if text.endswith(ends) or text.startswith(begins):
            text = letter
    last = text.split("is ")[-1].rstrip(".")
    if _is_float(last):
        text = last
    if "oxed{" not in text:
        for statement in _STATEMENTS:
            for words in (statement, statement.replace("the", "The")):
                stated = words in text
                text = text.split(words)[-1].strip()
                if stated:
                    text = text.split("\n")[0].split(". ")[0]
    elif text.count("oxed{") > 1:
        text = "\\boxed{" + text.split("oxed{")[-1]
    found = _boxed(text)
    for letter in "abcde":
        found = found.replace(f"({letter})", letter)
    for letter in "abcde":
        found = found.replace(f"{{{letter}}}", letter)
    return found.rstrip(".").lstrip(":").strip()


def published_equal(truth: str, answer: str) -> bool:
    """Return whether the program of MATH-V takes two answers for the same: the same words, or values to two digits."""
    truth, answer = truth.lower(), answer.lower()
    if not truth.replace(" ", "") or not answer.replace(" ", ""):
        return False
    if truth.strip() == answer.strip():
        return True
    truth, answer = _tuple(truth), _tuple(answer)
    if truth == answer:
        return True
    values = _published_number(answer), _published_number(truth)
    return None not in values and _rounded(values[0]) == _rounded(values[1])


def strict_equal(truth: str, answer: str) -> bool:
    """Return whether two answers are the same to us: the same words without spaces, or the same value exactly."""
    plain = [_tidy(text) for text in (truth, answer)]
    if not all(plain):
        return False
    if plain[0] == plain[1]:
        return True
    values = [number_of(text) for text in plain]
    return None not in values and math.isclose(float(values[0] or 0), float(values[1] or 0), rel_tol=_SAME)


def strict_answer(response: str) -> str:
    """Return the answer that a response states to us: its last box, else what follows "answer", else a lone line.

    Its reasoning is left out. Empty if it states none.
    """
    said = _THOUGHT.sub("", response).strip()
    if boxes := _boxes(said):
        return boxes[-1]
    if stated := _STATED.findall(said):
        return str(stated[-1]).strip().rstrip(".")
    return said.rstrip(".") if said and "\n" not in said and len(said.split()) <= 3 else ""


def _boxes(text: str) -> list[str]:
    """Return the contents of all boxes, whose braces may be nested."""
    found = []
    for match in re.finditer(r"\\boxed\s*\{", text):
        depth, at = 1, match.end()
        while at < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        if not depth:
            found.append(text[match.end() : at - 1].strip())
    return found


def _tidy(text: str) -> str:
    text = re.sub(r"\\(?:text|mathrm|mbox)\s*\{([^{}]*)\}", r"\1", text.strip().strip("$"))
    for words in (*_DROPPED, "\\$", "\\%", "%", "\\!", "\\,", "$"):
        text = text.replace(words, "")
    return "".join(text.split()).rstrip(".").lower()


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _boxed(text: str) -> str:
    """Return what the published program takes for the answer: from the first box to the last brace, in lower case."""
    text = text.lower().replace("{}", "")
    found = re.findall(r"oxed{(.*)}", text, re.S)
    answer = found[-1] if found else text
    closing, opening = answer.find("}"), answer.find("{")
    if closing != -1 and (opening == -1 or closing < opening):
        answer = answer.split("}")[0]
    answer = answer.split("=")[-1].split("\\approx")[-1]
    answer = answer.replace(" ", "").replace("\\,", "").replace("∞", "\\infty")
    answer = answer.replace("+\\infty", "\\infty").replace("\\\\", "\\").replace("\n", "")
    answer = answer.replace("\\text", "").replace("\\mbox", "").replace("bmatrix", "pmatrix")
    for words in _DROPPED:
        answer = answer.replace(words, "")
    return _stripped(answer)


def _stripped(text: str) -> str:
    text = text.replace("\n", "").replace("\\!", "").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").replace("\\left", "").replace("\\right", "")
    text = text.replace("^{\\circ}", "").replace("^\\circ", "").replace("\\$", "").replace("$", "")
    text = text.split("\\text{ ")[0].replace("\\%", "")
    text = text.replace(" .", " 0.").replace("{.", "{0.")
    if not text:
        return text
    text = "0" + text if text[0] == "." else text
    for sign in ("=", "\\approx"):
        if text.count(sign) == 1:
            text = text.split(sign)[-1]
    if "sqrt" in text:
        text = _braced_roots(text)
    text = text.replace(" ", "")
    if "sqrt" in text:
        text = _braced_fractions(text)
    if text == "0.5":
        text = "\\frac{1}{2}"
    return _slashed(text)


def _braced_roots(text: str) -> str:
    if "\\sqrt" not in text:
        return text
    first, *rest = text.split("\\sqrt")
    return first + "".join(
        f"\\sqrt{{{part[0]}}}{part[1:]}" if part and part[0] != "{" else f"\\sqrt{part}" for part in rest
    )


def _braced_fractions(text: str) -> str:
    first, *rest = text.split("\\frac")
    found = first
    for part in rest:
        found += "\\frac"
        if part and part[0] == "{":
            found += part
        elif len(part) < 2:
            return text
        elif part[1] != "{":
            found += f"{{{part[0]}}}{{{part[1]}}}{part[2:]}"
        else:
            found += f"{{{part[0]}}}{part[1:]}"
    return found


def _slashed(text: str) -> str:
    parts = text.split("/")
    if len(parts) != 2:
        return text
    try:
        a, b = int(parts[0]), int(parts[1])
    except ValueError:
        return text
    return f"\\frac{{{a}}}{{{b}}}" if text == f"{a}/{b}" else text


def _published_number(text: str) -> Value | None:
    return number_of(text, as_published=True)


def _tuple(text: str) -> str:
    """Return a tuple or list with each value to two digits; other text as it is."""
    parts = text[1:-1].split(",")
    if len(parts) < 2 or (text[0], text[-1]) not in (("(", ")"), ("[", "]")):
        return text
    values = [None if "infty" in part or part in ("a", "-a") else _published_number(part) for part in parts]
    if any(
        value is None and "infty" not in part and part not in ("a", "-a")
        for value, part in zip(values, parts, strict=True)
    ):
        return text
    words = [part if value is None else str(_rounded(value)) for value, part in zip(values, parts, strict=True)]
    return f"{text[0]}{','.join(words)}{text[-1]}"


def _rounded(value: Value | None) -> float | int:
    if isinstance(value, Fraction):
        return round(int(value), 2) if value.denominator == 1 else round(float(value), 2)
    return round(float(value or 0.0), 2)
