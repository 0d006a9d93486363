"""Words of a request for segmentation, in six languages, as regular expressions on folded text.

As in :mod:`napari_s1omni.core.sizes.phrases`: a line for each language, phrases separated by semicolons.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from napari_s1omni.core.sizes.phrases import anywhere

LANGUAGES = ("en", "de", "fr", "es", "pt", "zh")
"""Languages of the lists."""

KINDS = {
    "nuclei": r"""
    en: (?:cell[\s-])?nuclei; (?:cell[\s-])?nucleus; nuclear; (?:dapi|hoechst|draq5|h2b)
    de: (?:zell)?kerne?n?; nuklei; nukleus
    fr: noyaux?(?: cellulaires?)?
    es: nucleos?(?: celulares?)?
    pt: nucleos?(?: celulares)?
    zh: 细胞核; 核
    """,
    "cells": r"""
    en: cells?; cellular; \w+cytes?; \w+phages?; \w+blasts?; neurons?
    de: \w*zellen?; \w*zytene?; neurone?n?
    fr: cellules?; neurones?
    es: celulas?; neuronas?
    pt: celulas?; neuronios?
    zh: 细胞; 神经元
    """,
    "coins": r"""
    en: coins?
    de: munzen?
    fr: pieces? de monnaie
    es: monedas?
    pt: moedas?
    zh: 硬币
    """,
    "spots": r"""
    en: spots?; puncta; punctum; foci; dots?
    de: flecken?; punkte?n?
    fr: taches?; points?
    es: puntos?
    pt: pontos?
    zh: 斑点; 点
    """,
    "particles": r"""
    en: vesicles?; granules?; droplets?; particles?; grains?
    en: beads?; \w{2,}somes?; pollen; bubbles?; crystals?
    de: vesikeln?; korne?r?n?; tropfen; tropfchen; partikeln?; teilchen; kugelchen; blasen
    fr: vesicules?; granules?; gouttelettes?; particules?; grains?; billes?; bulles?
    es: vesiculas?; granulos?; gotas?; particulas?; granos?; burbujas?
    pt: vesiculas?; granulos?; goticulas?; gotas?; particulas?; graos?; bolhas?
    zh: 囊泡; 颗粒; 液滴; 粒子; 微珠; 气泡
    """,
    "mitochondria": r"""
    en: mitochondri\w+
    es: mitocondri\w+
    zh: 线粒体
    """,
    "colonies": r"""
    en: colony; colonies
    de: koloni\w+
    es: colonias?
    zh: 菌落; 集落
    """,
    "fibres": r"""
    en: (?:blood )?vessels?; fib(?:er|re)s?; axons?; myelin
    en: axoplasm; dendrites?; filaments?; microtubules?; cilia
    de: gefasse?n?; fasern?; axone?n?
    fr: vaisseaux?; fibres?; axones?
    es: vasos?; fibras?; axones
    pt: axonios?
    zh: 血管; 纤维; 轴突
    """,
    "bodies": r"""
    en: glomerul\w+; organoids?; spheroids?; embryos?; islets?
    en: bacteri\w+; yeasts?; chromosomes?; lumens?; lumina
    en: crypts?; villi; follicles?; tubules?; glands?; synapses?
    en: larvae?; worms?; eggs?; seeds?; stomata; pores?
    en: nucleol[iu]s?; vacuoles?; plastids?; chloroplasts?; tumou?rs?; lesions?; cysts?; alveol\w+
    de: bakteri\w+; hefen?; embryone?n?; organoide?n?; drusen?; samen; poren; \w*tumore?n?
    fr: bacteries?; levures?; embryons?; organoides?; glandes?; graines?
    es: bacterias?; levaduras?; embriones; organoides?; glandulas?; semillas?
    pt: leveduras?; embrioes; sementes?
    zh: 细菌; 酵母; 胚胎; 类器官; 腺体; 种子
    """,
    "blobs": r"""
    en: blobs?
    """,
    "objects": r"""
    en: objects?; things?; structures?; everything; anything
    en: blobs?; shapes?; instances?; foreground; bodies; regions?
    de: objekte?n?; alles; strukture?n?; dinge?
    fr: objets?; tout; structures?; choses?
    es: objetos?; todo; estructuras?; cosas?
    pt: tudo; estruturas?; coisas?
    zh: 物体; 对象; 目标; 东西
    """,
}
"""Kind of object -> its names."""

DARK = r"""
en: dark(?:er)?; black; shadow\w*; negative
de: dunk(?:el|le[mnrs]?|lere?n?); schwarze?[mnrs]?
fr: sombres?; foncee?s?; noire?s?
es: oscur[oa]s?; negr[oa]s?
pt: escur[oa]s?; pret[oa]s?
zh: 暗; 黑
"""
BRIGHT = r"""
en: bright(?:er)?; white; fluorescen\w*; glowing; luminous
de: helle?[mnrs]?; hellere?n?; leucht\w+; weisse?[mnrs]?
fr: claire?s?; brillante?s?; blanc(?:he)?s?
es: clar[oa]s?; brillantes?; blanc[oa]s?
pt: brilhantes?; branc[oa]s?
zh: 亮; 白
"""

VERBS = r"""
en: segment\w*; find; finds; label\w*; outline\w*; masks?
en: detect\w*; separate; count; show; mark; identify; extract
en: locate; trace; pick; select; delineate; annotate; highlight
en: get; give; want; draw; recogni[sz]e; measure; split
en: look for; search
de: segmentier\w*; finde?n?; such\w*; markier\w*; zahle?n?
de: zeige?n?; erkenn\w*; trenne?n?; maskier\w*; bestimm\w*
fr: segmente[rz]?; segmentation; trouve[rz]?; detecte[rz]?
fr: marque[rz]?; compte[rz]?; montre[rz]?; identifie[rz]?
es: encontr\w+; encuentr\w+; busc\w+; marc(?:ar|a|ue); cuent\w+; contar; mostrar; muestr\w+; identific\w+
pt: encontre; procur\w+; marque; conte; mostre; identifique
zh: 分割; 找到; 找出; 标记; 检测; 识别; 计数; 勾画; 圈出; 提取
"""

NOT = r"""
en: do not; don'?t; not; never
en: (?:^|with |segment |find |label |detect |mark |draw )no; none; nothing; neither; except
en: other than; leave alone; stop
de: nicht; nichts; keine?[mnrs]?; niemals; ignorier\w*
fr: ne; pas; rien; jamais; aucune?; ignore[rz]?
es: ^no; nada; nunca; ningun[oa]?
pt: nao; nenhum\w?
zh: 不; 别; 勿; 没有; 无需
"""
"""Words after which a clause says what is not wanted, beside :data:`napari_s1omni.core.sizes.phrases.IGNORE`."""

PLAIN = r"""
en: a; an; the; all; every; each; any; single; individual; whole; of
en: in; on; at; to; from; with; within; by; for; and; or
en: as; is; are; be; this; that; these; those; it; its; their
en: my; me; i; you; we; please; can; could; would; now; just
en: here; there; image; images; picture; photo; micrograph; layer
en: channel; slice; plane; stack; volume; view; tile; data
en: instance; semantic; about; around; approximately; approx; roughly
en: ca; circa; size; sized; diameter; radius; wide
en: width; long; length; across; large as; between; than
en: mean; average; typical; typically; usually; each other; which
en: that are; have; has; having; stain; stained; labell?ed; using; area
en: separately; touching; thick; thickness; sections?; tissue; cover; what; where; only
de: der; die; das; den; dem; des; ein; eine; einen; einer
de: eines; alle; allen; jeden?; von; vom; im; in; auf; mit; und
de: oder; bitte; bild; bilder; etwa; ungefahr; rund
de: circa; gross; grosse; durchmesser; radius; breit; zwischen; bis
de: sind; ist; welche; die; mir; ich; mochte; einzelne[nr]?; um; zu; aus; an
fr: le; la; les; l'; un; une; des; de; du; d'; tous
fr: toutes; chaque; dans; sur; et; ou; image; s'il; vous; plait; environ
fr: taille; diametre; rayon; large; entre; a; au; aux; avec; qui; sont; est; ces; cette
es: el; la; los; las; un; una; unos; unas; de; del; todos
es: todas; cada; en; y; o; e; imagen; por; favor; tamano; diametro
es: radio; ancho; entre; con; que; son; es; alrededor; aproximadamente; cerca; esta; este
pt: o; os; as; um; uma; do; da; dos; das; em; no
pt: na; nos; nas; imagem; tamanho; raio; largura; sao; cerca; esta; este
zh: 请; 把; 将; 的; 所有; 全部; 每个; 图像; 图片; 图中; 中; 里; 大约; 约; 直径; 半径
zh: 大小; 和; 在; 这; 那; 个; 出来; 出; 并
"""
"""Words that add nothing to what is wanted."""


@cache
def pattern(lists: str, languages: Sequence[str] = LANGUAGES) -> re.Pattern[str]:
    """Return a pattern that finds one of the phrases of some languages."""
    lines = [line for line in lists.strip().splitlines() if line.strip()[:2] in languages]
    return anywhere("\n".join(lines)) if lines else re.compile(r"(?!)")
