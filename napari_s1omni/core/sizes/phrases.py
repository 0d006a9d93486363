"""Words around the size of an object, in six languages, as regular expressions on folded text.

Lists of phrases have one line for each language (English, German, French, Spanish, Portuguese, Chinese), as a speaker
of it would correct them. Phrases are separated by semicolons.
"""

from __future__ import annotations

import re

_HAN = re.compile("[\u4e00-\u9fff]")


def _fragments(lists: str) -> list[str]:
    """Return the phrases of all languages, with the borders of words: Chinese has none."""
    found = []
    for line in lists.strip().splitlines():
        for phrase in line.strip().partition(": ")[2].split(";"):
            plain = phrase.strip()
            han = _HAN.search(plain)
            found.append(plain if han else rf"(?<![a-z])(?:{plain})(?![a-z])")
    return found


def anywhere(lists: str) -> re.Pattern[str]:
    """Return a pattern that finds one of the phrases."""
    return re.compile("|".join(_fragments(lists)))


def before(lists: str) -> re.Pattern[str]:
    """Return a pattern that finds one of the phrases at the end of a text."""
    return re.compile("(?:" + "|".join(_fragments(lists)) + ")$")


def after(lists: str) -> re.Pattern[str]:
    """Return a pattern that matches a text that starts with one of the phrases."""
    return re.compile(r"[\s\-(]*(?:" + "|".join(_fragments(lists)) + ")")


FILLER = re.compile(
    before(r"""
    en: of; about; around; approximately; approx\.?; roughly; nearly; circa; ca\.?; c\.; is; are; was; were; being; be
    en: the; an?; some; typically; usually; mostly; on average; equals; as; with; only; mean; average; median
    en: (?:equal|close|set|corresponding|amounts?|comes?) to
    de: von; etwa; ungefahr; rund; zirka; um; bei; ist; sind; betragt; liegt; liegen; misst; messen; meist; mit
    de: typischerweise; durchschnittlich; ein(?:e[mnrs]?)?; mittlere[rnms]?
    fr: d[eu]s?; d'?; environ; a peu pres; plus ou moins; autour; est; sont; font; fait; approximativement
    fr: en moyenne; l'ordre; moyenne?
    es: del; unos; unas; aproximadamente; alrededor; cerca; es; son; mide; miden; mas o menos; tienen?; casi
    es: en promedio; promedio; medi[ao]
    pt: d[ao]s?; por volta; em torno; e; sao; uns; umas; medem; mais ou menos; em media; tem
    zh: 大约; 大概; 约为; 约; 为; 是; 的; 有; 达; 等于; 平均; 在; 介于
    """).pattern.removesuffix("$")
    + r"\s*$|[(:=~≈\"'\[\-]\s*$"
)
"""A word or sign that may stand between a phrase and its number, and says nothing about what is measured."""

ABOUT = re.compile(
    before(r"""
    en: about; around; approximately; approx\.?; roughly; nearly; circa; ca\.?
    de: etwa; ungefahr; rund; um
    fr: environ
    es: unos; unas; aproximadamente; alrededor de; cerca de
    zh: 约
    """).pattern.removesuffix("$")
    + r"\s*$|[~≈]\s*$"
)
"""Directly before a number: an estimate, as people give it for objects, not for images."""

RADIUS = anywhere(r"""
    en: radius; radii; half[\s-]?(?:width|diameter)s?
    de: radien; halbmesser
    fr: rayons?
    es: radios?
    pt: raios?
    zh: 半径
    """)
RADIUS_LETTER = re.compile(r"(?<![a-z])r\s*[=:≈~]\s*$")
AFTER_RADIUS = after(r"""
    en: (?:in |of |large )?(?:radius|radii)
    de: (?:im )?(?:radius|radien|halbmesser)
    fr: (?:de |en )?rayons?
    es: (?:de |en )?radios?
    pt: (?:de |em )?raios?
    zh: 的?半径
    """)

AREA = anywhere(r"""
    en: areas?; surfaces?; footprints?; cover(?:s|ing)?
    de: \w*flachen?
    fr: aires?
    es: superficies?
    zh: 面积
    """)
AFTER_AREA = after(r"""
    en: (?:in |of |cross[\s-]?section\w* |surface )*(?:area|surface)s?
    de: flache
    fr: (?:d'|de |en )*(?:aire|surface|superficie)
    es: (?:de |en )*(?:area|superficie)
    pt: (?:de |em )*area
    zh: 的?面积
    """)

ACROSS = after(r"""
    en: wide; in width; minor axis
    de: breit\w*
    fr: de large(?:ur)?
    es: de ancho
    pt: de largura
    zh: 宽
    """)
BEFORE_ACROSS = before(r"""
    en: width; wide; minor axis
    de: breite
    fr: largeur
    es: ancho; anchura
    pt: largura
    zh: 宽度?
    """)
ALONG = after(r"""
    en: long; high; tall; in (?:length|height); major axis
    de: lang\w*; hoch
    fr: de long(?:ueur)?; de haut(?:eur)?
    es: de largo; de longitud; de alto
    pt: de comprimento; de altura
    zh: 长; 高
    """)
BEFORE_ALONG = before(r"""
    en: length; height; major axis
    de: lange; hohe
    fr: longueur; hauteur
    es: largo; longitud
    pt: comprimento; altura
    zh: 长度?; 高度?
    """)

SIZE_WORD = re.compile(
    before(r"""
    en: diameters?; sizes?; radius
    de: durchmesser; grosse
    fr: diametres?; tailles?; rayons?
    es: diametros?; tamanos?; radios?
    pt: tamanhos?; raios?
    zh: 直径; 大小; 尺寸; 半径
    """).pattern
    + "|\u2300$"
)
"""Directly before a number without a unit, it makes the missing unit worth a note."""

IGNORE = anywhere(r"""
    en: ignor\w*; exclu\w*; discard\w*; drop(?:s|ped|ping)?; remov\w*; skip\w*; reject\w*; omit\w*; disregard\w*
    en: delet\w*; leave out; without; except; filter(?:ed|ing)? out
    de: exkludier\w*; verwirf; verwerf\w*; entferne[nrt]?; ohne; auslass\w*; weglass\w*; ausschliess\w*; ausser
    fr: supprim\w*; sans; sauf; rejet\w*; retir\w*; enlev\w*
    es: descart\w*; elimin\w*; sin; excepto; quitar?
    pt: exceto; desconsider\w*; sem (?:contar|incluir|considerar|detritos|restos|objetos|residuos|sujeira)
    zh: 忽略; 去除; 排除; 除去; 剔除; 不要; 删除; 去掉; 过滤; 除了
    """)
"""What is left out: a size after it, in the same clause, is not that of the objects."""
AGAIN = anywhere(r"""
    en: segment\w*; find\w*; detect\w*; label\w*; outline; count\w*; keep\w*; mask; but
    de: finde; suche; behalte?n?; zahle; markier\w*; detekt\w*; aber; sondern
    fr: trouv\w*; gard\w*; compt\w*
    es: encuentr\w*; busca\w*; mant\w*; conserv\w*; pero
    pt: encontr\w*
    zh: 分割; 检测; 寻找; 保留; 标记; 识别; 但
    """)
"""What ends the reach of :data:`IGNORE`."""

LOCATIVE = re.compile(
    r"(?<![a-z])(?:in|im|within|from|on|of|dans|sur|en|em|no|na|nos|nas|nesta|neste|nessa|aus|auf|per|for)"
    r"(?: (?:this|the|that|these|those|each|every|all|an?|my|our|diese[mnrs]?|de[mnr]|einem|einer|jedem|cette?|ces|"
    r"chaque|la|les?|el|los|las|est[aeo]s?|una?|uma?|cada|o|a|os|as))?\s*$|(?<![a-z])(?:dans|sur) l'$"
)
"""Before a word for the image: where the objects are, not what is measured."""

DECIMAL_COMMA = anywhere(r"""
    de: der; das; und; mit; etwa; ungefahr; rund; zellkern\w*; kerne?n?; zellen?; grosse[nrms]?; von; durchmesser; bis
    de: segmentiere\w*; mikrometer; ein\w{0,2}; zwischen
    fr: les; noyaux; noyau; cellules?; environ; avec; et; diametre; une; taille; entre; la
    es: nucleos?; celulas?; del; unos; unas; aproximadamente; diametro; tamano; micrometros?; nanometros?; los; las; el
    pt: tamanho; cerca; com; dos; das
    """)
"""Words of languages that write a comma where English writes a point."""
