"""Values of numbers written in LaTeX, as far as answers to mathematical questions need them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction

Value = Fraction | float
"""Exact where the text is exact: fractions of whole numbers; otherwise a float."""

_TOKEN = re.compile(
    r"\s+|\\[,;:! ]|(?P<number>\d+(?:,\d{3})*(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)"
    r"|(?P<command>\\[a-zA-Z]+|\\%)|(?P<sign>[-+*/^_(){}\[\]!|])"
)
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "\\sin": math.sin,
    "\\cos": math.cos,
    "\\tan": math.tan,
    "\\arcsin": math.asin,
    "\\arccos": math.acos,
    "\\arctan": math.atan,
    "\\ln": math.log,
    "\\log": math.log10,
    "\\exp": math.exp,
}
_PRODUCTS = ("*", "\\cdot", "\\times")
_BEGIN = ("(", "{", "\\pi", "\\sqrt", "\\frac", "\\dfrac", "\\tfrac", "\\binom")
"""Signs and commands that continue a product without a sign between."""
_QUOTIENTS = ("/", "\\div")
_UNKNOWN_THERE = ("|", "\\ln", "\\exp")
_LARGEST_POWER = 512.0
_LARGEST_FACTORIAL = 170
_DEEPEST = 50


def number_of(text: str, *, as_published: bool = False) -> Value | None:
    """Return the value of a number in LaTeX; None if it is none.

    Sums, products, fractions, roots, powers, factorials, pi and common functions are known. Unknown letters, text and
    anything else make it no number.

    Parameters
    ----------
    text : str
    as_published : bool
        Read as latex2sympy2 1.9 does: a colon divides, dollars and stray points are skipped, and so is all after a
        bracket too many. Arguments without braces, absolute values, natural logarithms and exponents such as 1e3 are
        no numbers.
    """
    try:
        parser = _Parser(_tokens(text, as_published), as_published)
        value = parser.sum(0)
        parser.end()
        return value if isinstance(value, Fraction) or math.isfinite(value) else None
    except (ValueError, ArithmeticError, IndexError, RecursionError):
        return None


def _tokens(text: str, as_published: bool) -> list[str]:
    text = text.replace("\\left", "").replace("\\right", "")
    if as_published:
        text = re.sub(r"(?<!\\)\$|\.(?!\d)", " ", text).replace(":", "/")
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(text[at])
        if match.lastgroup:
            if as_published and (
                match[0] in _UNKNOWN_THERE or ("e" in match[0].lower() and match.lastgroup == "number")
            ):
                raise ValueError(match[0])
            found.append(match[0])
        at = match.end()
    if not found:
        raise ValueError("nothing")
    return found


class _Parser:
    """Descends through sums, products, powers and atoms."""

    def __init__(self, tokens: list[str], as_published: bool) -> None:
        self._tokens, self._at, self._as_published = tokens, 0, as_published

    def end(self) -> None:
        if self._at != len(self._tokens) and not (self._as_published and self._tokens[self._at] in (")", "}")):
            raise ValueError(self._tokens[self._at])

    def sum(self, depth: int) -> Value:
        if depth > _DEEPEST:
            raise ValueError("too deep")
        value = self._product(depth)
        while (sign := self._peek()) in ("+", "-"):
            self._at += 1
            other = self._product(depth)
            value = _plus(value, other if sign == "+" else -other)
        return value

    def _product(self, depth: int) -> Value:
        value = self._signed(depth)
        while (token := self._peek()) in _PRODUCTS or token in _QUOTIENTS:
            self._at += 1
            other = self._signed(depth)
            value = _times(value, other) if token in _PRODUCTS else _over(value, other)
        return value

    def _signed(self, depth: int) -> Value:
        sign = 1
        while (token := self._peek()) in ("+", "-"):
            self._at += 1
            sign = -sign if token == "-" else sign
        value = self._power(depth)
        # What stands side by side belongs together more than a quotient: 1/2x is 1/(2x).
        while (token := self._peek()) is not None and (token[0].isdigit() or token in _BEGIN):
            value = _times(value, self._power(depth))
        return value if sign > 0 else -value

    def _power(self, depth: int) -> Value:
        value = self._atom(depth)
        while self._peek() in ("!", "\\%"):
            self._at += 1
            if self._tokens[self._at - 1] == "!":
                value = Fraction(math.factorial(_whole(value)))
            else:
                value = _over(value, Fraction(100))
        if self._as_published and self._tokens[self._at - 1] == "\\%" and not self._tokens[self._at - 2][0].isdigit():
            raise ValueError("percent of what is no plain number")
        if self._peek() == "^":
            self._at += 1
            return _raised(value, self._exponent(depth))
        return value

    def _exponent(self, depth: int) -> Value:
        if self._peek() == "-" and not self._as_published:
            self._at += 1
            return -self._atom(depth)
        return self._group(depth) if self._peek() == "{" else self._atom(depth)

    def _atom(self, depth: int) -> Value:
        token = self._next()
        if token[0].isdigit() or token[0] == ".":
            plain = token.replace(",", "")
            return Fraction(plain) if plain.isdigit() else float(plain)
        if token == "\\pi":
            return math.pi
        if token in ("\\frac", "\\dfrac", "\\tfrac"):
            return _over(self._argument(depth), self._argument(depth))
        if token == "\\binom":
            n, k = self._argument(depth), self._argument(depth)
            return Fraction(math.comb(_whole(n), _whole(k)))
        if token == "\\sqrt":
            root: Value = Fraction(2)
            if self._peek() == "[":
                self._at += 1
                root = self.sum(depth + 1)
                self._expect("]")
            return _raised(self._argument(depth), _over(Fraction(1), root))
        if token in _FUNCTIONS:
            return _FUNCTIONS[token](float(self._power(depth + 1)))
        for opening, closing in (("(", ")"), ("{", "}"), ("[", "]"), ("|", "|")):
            if token == opening:
                value = self.sum(depth + 1)
                self._expect(closing)
                return value if token != "|" or value >= 0 else -value
        raise ValueError(token)

    def _argument(self, depth: int) -> Value:
        """Return what follows a command: a group, or the first digit of a number, as TeX reads it."""
        token = self._peek()
        if self._as_published:
            return self._group(depth)
        if token is not None and token[0].isdigit():
            self._tokens[self._at] = token[1:]
            if not token[1:]:
                self._at += 1
            return Fraction(token[0])
        return self._group(depth) if token == "{" else self._atom(depth)

    def _group(self, depth: int) -> Value:
        self._expect("{")
        value = self.sum(depth + 1)
        self._expect("}")
        return value

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise ValueError(token)


def _whole(value: Value) -> int:
    if value != int(value) or not 0 <= value <= _LARGEST_FACTORIAL:
        raise ValueError("no small whole number")
    return int(value)


def _plus(a: Value, b: Value) -> Value:
    return a + b if isinstance(a, Fraction) and isinstance(b, Fraction) else float(a) + float(b)


def _times(a: Value, b: Value) -> Value:
    return a * b if isinstance(a, Fraction) and isinstance(b, Fraction) else float(a) * float(b)


def _over(a: Value, b: Value) -> Value:
    return a / b if isinstance(a, Fraction) and isinstance(b, Fraction) else float(a) / float(b)


def _raised(a: Value, b: Value) -> Value:
    size, exponent = float(a) if a >= 0 else -float(a), float(b) if b >= 0 else -float(b)
    if exponent > _LARGEST_POWER or (size > 1 and exponent * math.log2(size) > 2 * _LARGEST_POWER):
        raise ValueError("power")
    if isinstance(a, Fraction) and isinstance(b, Fraction) and b.denominator == 1:
        return Fraction(a ** int(b))
    value = float(a) ** float(b)
    if isinstance(value, complex):
        raise ValueError("complex")
    return float(value)
