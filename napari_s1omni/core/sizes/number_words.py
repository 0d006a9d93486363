"""Numbers in words, as far as people write sizes with them: up to a hundred, in six languages."""

from __future__ import annotations

_ONES = {
    "en": "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen",
    "de": "ein zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn "
    "achtzehn neunzehn",
    "fr": "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit "
    "dix-neuf",
    "es": "un dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete "
    "dieciocho diecinueve",
    "pt": "um dois tres quatro cinco seis sete oito nove dez onze doze treze quatorze quinze dezesseis dezessete "
    "dezoito dezenove",
}
_TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety hundred",
    "de": "zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig hundert",
    "fr": "vingt trente quarante cinquante soixante soixante-dix quatre-vingts quatre-vingt-dix cent",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa cien",
    "pt": "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa cem",
}
_AND = {"en": "{ten}-{one}", "de": "{one}und{ten}", "fr": "{ten}-{one}", "es": "{ten} y {one}", "pt": "{ten} e {one}"}
_PARTS = {
    0.5: "half; half a; half an; halb; halbe; halber; halben; halbes; demi; medio; meio; 半",
    1.5: "one and a half; anderthalb; eineinhalb; un et demi; uno y medio; um e meio; 一个半",
    10: "dizaine de; decena de; dezena de",
    20: "vingtaine de",
    100: "centaine de",
}
"""Parts of a unit, and round numbers that are counted as one thing."""
_VAGUE = frozenset(
    "few; a few; several; a couple of; tens of; dozens of; hundreds of; wenige; weniger; einige; einiger; mehrere; "
    "mehrerer; ein paar; quelques; plusieurs; dizaines de; pocos; pocas; unos pocos; unas pocas; varios; varias; "
    "algunos; algunas; alguns; algumas; poucos; poucas; 几; 数; 数十; 几十".split("; ")
)
"""Words for numbers that nobody can know."""
_CHINESE = dict(zip("一二三四五六七八九", range(1, 10), strict=True)) | {"两": 2}


def _words() -> dict[str, float]:
    words: dict[str, float] = {}
    for language, text in _ONES.items():
        ones = text.split()
        tens = _TENS[language].split()
        for i, one in enumerate(ones):
            words.setdefault(one, i + 1.0)
        for i, ten in enumerate(tens):
            words[ten] = 10.0 * (i + 2)
            if i < len(tens) - 1:
                words |= {
                    _AND[language].format(ten=ten, one=one): 10.0 * (i + 2) + j + 1 for j, one in enumerate(ones[:9])
                }
    for i, one in enumerate(_ONES["es"].split()[:9]):
        words[f"veinti{one}"] = 21.0 + i
    return words | {part: value for value, parts in _PARTS.items() for part in parts.split("; ")}


_WORDS = _words()

NUMBER_WORD = (
    r"(?<![a-z-])(?:"
    + "|".join(sorted({*_WORDS, *_VAGUE}, key=len, reverse=True))
    + r")(?![a-z])|[一二两三四五六七八九]?十[一二三四五六七八九]?|"
    r"[一二两三四五六七八九]"
)
"""Pattern of a number in words, in folded text."""


def read_number_word(word: str) -> float | None:
    """Return the value of what :data:`NUMBER_WORD` matches; None for words such as "a few".

    Examples
    --------
    >>> read_number_word("twenty-five"), read_number_word("zwanzig"), read_number_word("二十五")
    (25.0, 20.0, 25.0)
    """
    if word in _VAGUE:
        return None
    if word in _WORDS:
        return _WORDS[word]
    ten, found, one = word.partition("十")
    return float(10 * _CHINESE.get(ten, 1) + _CHINESE.get(one, 0)) if found else float(_CHINESE[word])
