"""Words around a size that say what it measures, in six languages; folded, as regular expressions.

Each :class:`Meaning` has words directly before a size, directly after it, and, for words that name the measured thing
beyond doubt, anywhere before it in the same clause. Words are English, German, French, Spanish, Portuguese, Chinese.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


def _after(*words: str) -> re.Pattern[str]:
    return re.compile(r"[\s\-(]*(?:" + "|".join(words) + r")(?![a-z])")


def _before(*words: str) -> re.Pattern[str]:
    return re.compile(r"(?<![a-z])(?:" + "|".join(words) + r")$")


def _anywhere(*words: str) -> re.Pattern[str]:
    return re.compile(r"(?<![a-z])(?:" + "|".join(words) + r")(?![a-z])")


NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a size measures if it is not the size of an object."""

    why: str
    """Completes: this is not used as the object size: it ..."""
    before: re.Pattern[str] = NOTHING
    after: re.Pattern[str] = NOTHING
    anywhere: re.Pattern[str] = NOTHING
    physical: bool = False
    """Whether it is never given in pixels."""
    light: bool = False
    """Whether it is a wavelength, from 200 to 2000 nm."""


FILLER = re.compile(
    r"(?:(?<![a-z])(?:"
    r"of|about|around|approximately|approx\.?|roughly|nearly|circa|ca\.?|c\.|is|are|was|were|being|be|the|an?|some|"
    r"typically|usually|mostly|on average|(?:equal|close|set|corresponding|amounts?|comes?) to|equals|as|with|only|"
    r"von|etwa|ungefahr|rund|zirka|um|bei|ist|sind|betragt|liegt|liegen|misst|messen|meist|typischerweise|"
    r"durchschnittlich|ein(?:e[mnrs]?)?|mit|circa|"
    r"d[eu]s?|d'|d|environ|a peu pres|plus ou moins|autour|est|sont|font|fait|approximativement|en moyenne|l'ordre|"
    r"del|unos|unas|aproximadamente|alrededor|cerca|es|son|mide|miden|mas o menos|tienen?|en promedio|casi|"
    r"d[ao]s?|por volta|em torno|e|sao|uns|umas|medem|mais ou menos|em media|tem|"
    r"mean|average|median|mittlere[rnms]?|moyenne?|moyen|media|medio|promedio"
    r")|[(:=~≈\"'\[\-]|大约|大概|约为|约|为|是|的|有|达|等于|平均|在|介于)\s*$"
)
"""A word or sign that may stand between a phrase and its number, and says nothing about what is measured."""

_PIXEL = r"(?:px|pixels?|pixel[sn]|pixeles|pixeis|voxels?|voxeles|voxeis)"
_OF_PIXEL = r"(?:[\s_-]*(?:size|width|pitch|edge|length|scale|spacing|calibration|grosse|breite|abstand|kantenlange|大小|尺寸|间距|边长|宽度))?"
_SIZES = (
    r"(?:[\s._-]*(?:object|cell|nuclear|nucleus)?[\s._-]*(?:size|diameter|radius|area|width|length|grosse|durchmesser|"
    r"flache|radien|taille|diametre|rayon|aire|surface|tamano|diametro|radio|area|tamanho|raio|尺寸|大小|直径|半径|面积|值)"
    r"[a-z]*)?"
)
_SECTION = (
    r"(?:sections?|slices?|slabs?|tissues?|cryosections?|schnitte?n?|gewebeschnitte?n?|\w*schnitte?n?|scheiben?|"
    r"schichten?|coupes?|tranches?|cortes?|secciones|seccion|rebanadas?|fatias?|secoes|seccoes|seccao|secao)"
)
_IMAGE = (
    r"(?:images?|pictures?|micrographs?|tiles?|crops?|patch(?:es)?|frames?|stacks?|volumes?|rois?|windows?|"
    r"blocks?|chunks?|fields?|grids?|mosaics?|bild(?:er)?n?|bildausschnitte?|kacheln?|ausschnitte?|fenster|stapel|tuiles?|"
    r"fenetres?|vignettes?|imagen(?:es)?|recortes?|ventanas?|teselas?|mosaicos?|imagem|imagens|janelas?|blocos?|"
    r"图像|图片|图块|窗口|瓦片|视窗)"
)
_HAS_SIZE = r"[\s_-]*(?:size|width|height|edge|length|grosse|breite|hohe|taille|largeur|hauteur|tamano|tamanho|大小|尺寸|宽度|高度)"
_BIG = r"(?:(?:wide|large|big|square|long|grosse[nrms]?|breite[nrms]?|宽|大小)?\s*(?:的)?\s*)"

MEANINGS = (
    Meaning(
        "is a length per pixel, or per something else",
        before=_before(r"per", r"pro", r"je", r"par", r"por"),
        after=re.compile(
            r"\s*\)?\s*(?:/\s*(?:1\s*)?[a-zμå一-龥]|(?:per|pro|je|par|por|p\.)\s+\w|a (?:px|pixel)(?![a-z])|每(?!隔)"
            r"|[\s*]*[a-z]+\^-1)"
        ),
    ),
    Meaning(
        "is the size of a pixel",
        before=re.compile(
            rf"(?:(?<![a-z]){_PIXEL}|\w*pixelgrosse|每(?:个|一)?(?:像素|体素)|(?:像素|体素)){_OF_PIXEL}"
            r"(?:\s*(?:corresponds? to|represents?|measures?|covers?|entspr\w+|hat|haben|correspond\w*(?: a)?|mesur\w+|"
            r"equivale\w*(?: a)?|equivaut|vaut|corresponde\w*(?: a)?|代表|对应))?\s*$"
            r"|(?<![a-z])(?:mpp|calibrat\w*|kalibrier\w*|etalonn\w*|calibra\w*|sampling|abtast\w*|echantillonnage|"
            r"muestreo|amostragem|标定|采样)$"
        ),
        after=re.compile(
            rf"[\s\-(]*(?:square\s+)?(?:(?:{_PIXEL}|像素|体素)(?![a-z])(?!\s*(?:size|的?大小))|mpp(?![a-z]))"
        ),
        anywhere=_anywhere(
            rf"(?:{_PIXEL})[\s_-]*(?:sizes?|width|pitch|calibration)",
            r"pixelgrosse|pixelabstand|pixelbreite|voxelgrosse",
            r"tailles? d[eu]s? (?:pixels?|voxels?)",
            r"tamano d[eo]l?s? (?:pixel\w*|voxel\w*)",
            r"tamanho d[eo]s? (?:pixel\w*|pixeis|voxel\w*)",
            r"size of (?:a|the|one|each) (?:pixel|voxel)",
        ),
        physical=True,
    ),
    Meaning("is the scale of the image", before=_before(r"scale", r"massstab", r"echelle", r"escala", r"比例")),
    Meaning("is the size of a pixel", anywhere=re.compile(r"像素(?:的)?(?:大小|尺寸|间距|边长)"), physical=True),
    Meaning(
        "is a limit, not a size",
        before=re.compile(
            r"(?:[<>≤≥]\s*=?|(?<![a-z])(?:than|als|que|(?:than|als|que) (?:or|oder|ou|o)|(?:or|oder|ou|o) (?:equal|gleich|egale?s?|egaux|igual\w*)|exceed\w*|up to|down to|bis(?: zu)?|jusqu'?|hasta|ate|ab|from|desde|a partir|"
            r"at least|at most|au moins|au plus|al menos|por lo menos|a lo sumo|pelo menos|no mais|"
            r"above|below|over|under|beneath|within|uber|unter|oberhalb|unterhalb|innerhalb|"
            r"superieure?s?(?: ou egale?s?)?|inferieure?s?(?: ou egale?s?)?|superior(?:es)?|inferior(?:es)?|"
            r"plus|moins|mas|menos|mais|mayor(?:es)?|menor(?:es)?|maior(?:es)?|acima|abaixo|encima|debajo|sous|bajo|"
            r"wenigstens|mindestens|hochstens)|"
            rf"(?<![a-z])(?:min|max|minim\w*|maxim\w*|mindest\w*|hochst\w*|kleinst\w*|grosst\w*|least|most|smallest|largest|"
            rf"lower limit|upper limit|threshold|cut-?off|(?:smallest|largest|biggest|kleinsten?|grossten?|plus petits?|plus grands?) \w+|schwell\w+|seuil|umbral|limiar|limit\w*)\.?{_SIZES}|"
            r"(?:小于|大于|超过|不超过|低于|高于|少于|多于|不小于|不大于|不少于|至少|至多|最多|最少|最小|最大|不到|不足|小過|以内)(?:等于)?"
            r"(?:的)?(?:直径|尺寸|大小|面积|半径|值)?)$"
        ),
        after=re.compile(
            r"[\s\-(),]*(?:(?:or|and) (?:more|larger|bigger|greater|less|smaller|above|below|up|over|under)|"
            r"(?:oder|und) (?:mehr|grosser|kleiner|weniger|daruber|darunter)|(?:ou|et) (?:plus|moins)|"
            r"[oy] (?:mas|menos|mayor\w*|menor\w*)|(?:ou|e) (?:mais|menos|maior\w*|menor\w*))(?![a-z])|"
            r"[\s\-(]*(?:at least|at most|minimum|maximum|max\.?|min\.?|mindestens|hochstens|au moins|au plus|"
            r"como minimo|como maximo|no minimo|no maximo|upwards?)(?![a-z])(?!\s+$)|"
            r"\s*(?:及|或)?以[上下内]|\s*(?:或|及)?(?:更大|更小)|\+"
        ),
    ),
    Meaning(
        "is the spread of the sizes",
        before=_before(
            r"standard deviation",
            r"std\.?",
            r"sd",
            r"deviation",
            r"standardabweichung",
            r"ecart[- ]types?",
            r"desviacion(?: estandar| tipica)?",
            r"desvio(?: padrao)?",
            r"tolerance",
            r"toleranz",
            r"tolerancia",
            r"variation",
            r"±",
            r"\+/-",
        ),
        anywhere=re.compile(r"标准差|偏差|误差|公差|standard deviation|standardabweichung|ecart[- ]type"),
    ),
    Meaning(
        "is a distance",
        before=re.compile(
            r"(?<![a-z])(?:every|alle|tous les|toutes les|cada|step|stride|schritt\w*|pas|paso|passo|(?:to|zu) within|z\s*=?)$|"
            r"(?:每隔?|步长|层距|步进)$"
        ),
        after=_after(
            r"(?:in )?(?:distance|spacing|separation)",
            r"apart",
            r"away",
            r"distant\w*",
            r"spaced",
            r"steps?",
            r"gaps?",
            r"(?:from|between) (?:each other|one another|neighbou?r\w*)",
            r"between (?:them|the|its|their|nuclei|cells|objects|cent\w+)",
            r"(?:below|above|under|beneath|inside|outside) the (?:surface|edge|top|bottom|border|coverslip|glass)",
            r"(?:to|from) (?:the )?(?:edge|border|surface|cent\w+|membrane)",
            r"(?:weit )?(?:voneinander|auseinander|entfernt|abstand\w*)",
            r"(?:vom|von der|unter der|uber der)",
            r"(?:de |d')?(?:distance|ecart|espacement|intervalle)s?",
            r"(?:entre|du bord|de la surface|del borde|da borda)",
            r"(?:de )?(?:distancia|separacion|separacao|espaciado|espacamento|intervalo)",
            r"(?:的)?(?:间距|距离|间隔|步长)[^a-z]?",
        ),
        anywhere=re.compile(
            r"(?<![a-z])(?:distances?|spacings?|spaced|gaps?|apart|separated|separations?|intervals?|pitch|z[\s-]*(?:steps?|interval|"
            r"range|schritt\w*)|step[\s-]?sizes?|abstand\w*|\w*abstande?n?|entfernung\w*|entfernt|schrittweite|lucken?|espacements?|"
            r"espacees?|espaces?|separee?s?|ecarts?|ecartes?|ecartees?|intervalles?|distantes?|distancias?|separad[oa]s|separacion|separacao|"
            r"espaciad[oa]s?|espaciado|espacamento|espacad[oa]s|afastad[oa]s|intervalos?)(?![a-z])|间距|距离|相距|间隔|间隙|步长|层厚间距"
        ),
    ),
    Meaning(
        "is a thickness",
        before=_before(
            r"thick\w*",
            r"dick\w*",
            r"epais\w*",
            r"gros[oa]s?",
            r"espess\w*",
            r"厚度?",
            r"厚度约?",
            r"(?:cut|sectioned|sliced|geschnitten|coupee?s?|cortad[oa]s?|tranchee?s?)(?: (?:at|in|into|to|auf|a|en|em))?",
            r"切成?",
        ),
        after=_after(
            r"thick\w*",
            r"(?:in|of) thickness",
            r"dick\w*",
            r"(?:d[' ]?|en )?epais\w*",
            r"(?:de |en )?(?:grosor|espesor|grueso)",
            r"(?:de |em )?espess\w*",
            r"coverslips?",
            r"deckgla\w+",
            r"lamelles?",
            r"cubreobjetos",
            r"laminulas?",
        ),
        anywhere=re.compile(
            r"(?<![a-z])(?:thickness(?:es)?|\w+dicke|epaisseurs?|grosor|espesor|espessuras?)(?![a-z])|厚度|层厚"
        ),
    ),
    Meaning("is a thickness", after=re.compile(r"\s*厚|\s*(?:的)?(?:组织)?(?:切片|薄片)|\s*盖玻片")),
    Meaning(
        "is a thickness",
        before=re.compile(rf"(?<![a-z]){_SECTION}$|切片$"),
        after=_after(rf"(?:thin |tissue |paraffin |frozen |cryo[\s-]?|vibratome |optical )*{_SECTION}"),
        physical=True,
    ),
    Meaning(
        "is a depth",
        before=_before(r"deep", r"tief\w*"),
        after=re.compile(
            r"[\s\-(]*(?:(?:in |of )?(?:deep|depths?)|tief\w*|(?:de |en )?profond\w*|(?:de |en )?profund\w*)(?![a-z])|\s*深"
        ),
        anywhere=re.compile(
            r"(?<![a-z])(?:depths?|tiefe|\w+tiefe|profondeurs?|profundidad(?:es)?|profundidades?|profundidade)(?![a-z])|深度"
        ),
    ),
    Meaning(
        "is a scale bar",
        before=_before(r"bars?", r"balken"),
        after=_after(
            r"(?:long )?(?:scale[\s-]?)?bars?",
            r"massstab\w*",
            r"barres? d'echelle",
            r"barras? de escala",
            r"(?:的)?(?:比例尺|标尺)",
        ),
        anywhere=re.compile(
            r"(?<![a-z])(?:scale[\s-]?bars?|massstab\w*|barres? d'echelle|echelle|barras? de escala|escala)(?![a-z])|比例尺|标尺|标度尺"
        ),
    ),
    Meaning(
        "is the field of view",
        before=_before(r"champs?", r"campos?"),
        after=_after(
            r"fields? of view",
            r"fov",
            r"(?:sicht|gesichts|bild)feld\w*",
            r"champ(?:s)?(?: de vision| visuel| de vue)?",
            r"campos?(?: de vision| visual| de visao)?",
            r"(?:的)?视[野场]",
        ),
        anywhere=re.compile(
            r"(?<![a-z])(?:fields? of view|fov|(?:sicht|gesichts|bild)feld\w*|champs? (?:de vision|visuel|de vue)|"
            r"campos? (?:de vision|visual|visuais|visuales|de visao))(?![a-z])|视野|视场"
        ),
    ),
    Meaning(
        "is the size of the image or of a part of it",
        after=re.compile(rf"[\s\-(]*(?:{_BIG}{_IMAGE})(?![a-z])"),
        anywhere=re.compile(
            rf"(?<![a-z])(?:{_IMAGE}{_HAS_SIZE}|bildgrosse|kachelgrosse|tailles? d(?:e l'|es |e )(?:image|tuile)s?|"
            r"tamano de (?:la )?(?:imagen|tesela|recorte)|tamanho da imagem)"
        ),
    ),
    Meaning(
        "is a setting of a filter or of an outline",
        before=_before(
            r"overlap\w*",
            r"halos?",
            r"margins?",
            r"padding",
            r"borders?",
            r"offsets?",
            r"shift\w*",
            r"drift\w*",
            r"mov(?:e|es|ed|ing)",
            r"dilat\w*",
            r"erod\w*",
            r"expand\w*",
            r"expan\w*",
            r"grow\w*",
            r"shrink\w*",
            r"enlarge\w*",
            r"smooth\w*",
            r"blur\w*",
            r"sigma",
            r"σ",
            r"kernels?",
            r"filters?",
            r"gauss\w*",
            r"psf",
            r"fwhm",
            r"resolutions?",
            r"resolved",
            r"auflosung\w*",
            r"resolucion",
            r"resolucao",
            r"jitter",
            r"binning",
            r"bin",
            r"pinhole",
            r"line ?width",
            r"stroke",
            r"uberlapp\w*",
            r"rand",
            r"verschieb\w*",
            r"verschoben",
            r"weichgezeichnet",
            r"geglattet",
            r"glatt\w*",
            r"unscharfe",
            r"erweiter\w*",
            r"flou\w*",
            r"recouvrement",
            r"marges?",
            r"lisse\w*",
            r"desenfoque",
            r"suaviz\w*",
            r"solap\w*",
            r"margen",
            r"margem",
            r"sobrepos\w*",
            r"borrado",
            r"desfoque",
            r"accuracy",
            r"precision",
            r"error",
            r"genauigkeit",
            r"decal\w*",
            r"desplaz\w*",
            r"desloc\w*",
            r"分辨率",
            r"模糊",
            r"重叠",
            r"平滑",
            r"边缘",
            r"膨胀",
            r"腐蚀",
            r"精度",
            r"偏移",
            r"by",
            r"(?:rolling[\s-]?ball|background|search|kernel|filter|blur|smoothing|dilation|erosion|structuring element)(?: radius| size| diameter)",
        ),
        after=_after(
            r"overlaps?",
            r"margins?",
            r"padding",
            r"borders?",
            r"halos?",
            r"kernels?",
            r"filters?",
            r"gauss\w*",
            r"blur\w*",
            r"sigma",
            r"resolution",
            r"windows?",
            r"dilation",
            r"erosion",
            r"shifts?",
            r"offsets?",
            r"drift",
            r"lines?",
            r"outlines?",
            r"uberlapp\w*",
            r"rand",
            r"unscharfe",
            r"erweiter\w*",
            r"vergrosser\w*",
            r"verschieb\w*",
            r"de recouvrement",
            r"de marge",
            r"de solapamiento",
            r"de margen",
            r"de sobreposicao",
            r"de margem",
            r"(?:的)?(?:重叠|模糊|分辨率|边距)",
            r"rolling[\s-]?ball",
            r"median",
            r"tophat",
            r"top-hat",
        ),
        anywhere=_anywhere(
            r"dilate|erode|expand|grow|shrink|enlarge|shift|move",
            r"resolution of",
            r"rolling[\s-]?ball",
            r"structuring element",
            r"psf",
            r"fwhm",
        ),
    ),
    Meaning(
        "is a part of the setup",
        after=_after(
            r"(?:cell )?strainers?",
            r"pores?",
            r"mesh(?:es)?",
            r"wells?",
            r"pinholes?",
            r"pillars?",
            r"needles?",
            r"fib(?:er|re) optic\w*",
        ),
    ),
    Meaning(
        "is what is left out",
        before=_before(r"(?:but )?not", r"nicht", r"kein\w*", r"(?:mais )?pas", r"nao"),
        after=_after(
            r"(?:large |small )?(?:debris|specks?|dust|dirt|artefacts?|artifacts?|noise)",
            r"(?:grosse\w*|kleine\w*)? ?(?:krumel\w*|schmutz\w*|artefakte?n?)",
            r"d(?:e |')(?:debris|poussieres?)",
            r"de (?:restos|detritos|residuos|basura|sujeira)",
            r"(?:的)?(?:碎片|杂质|噪声|噪点)",
        ),
    ),
    Meaning(
        "is a wavelength",
        before=re.compile(
            r"(?<![a-z])(?:at|bei|@|dapi|hoechst\w*|[a-z]?gfp|yfp|rfp|cfp|bfp|mcherry|tdtomato|cy ?[357]|fitc|tritc|alexa(?: fluor)?|atto|"
            r"texas red|txred|draq5|sytox\w*|channels?|ch|kanal|canal|lines?|λ|lambda|led)$|通道$"
        ),
        after=re.compile(
            r"[\s\-(]*(?:lasers?|laserlini\w*|excit\w*|emission\w*|light|illuminat\w*|channels?|filters?|led|lines?|wavelengths?|anreg\w*|"
            r"kanal|licht|wellenlange\w*|lumiere|luz|canal|laserlicht|dapi|hoechst|[a-z]?gfp|rfp|mcherry|cy[357]|fitc|tritc)(?![a-z])|\s*(?:的)?(?:激光|激发|通道|波长|光)"
        ),
        anywhere=re.compile(
            r"(?<![a-z])(?:lasers?|laser\w*|wavelengths?|excit\w*|emission\w*|emitt\w*|illuminat\w*|bandpass|wellenlange\w*|anreg\w*|angeregt|"
            r"longueurs? d'ondes?|longitud\w* de onda|comprimentos? de onda|lambda)(?![a-z])|λ|激光|波长|激发|发射"
        ),
        light=True,
    ),
    Meaning(
        "is a perimeter",
        after=_after(
            r"(?:in |of |de |en )?(?:perimet\w*|circumferen\w*|umfang\w*|circonferenc\w*|circunferenc\w*)", r"周长"
        ),
        anywhere=re.compile(r"(?<![a-z])(?:perimet\w*|circumferen\w*|umfang\w*|circonferenc\w*|circunferenc\w*)|周长"),
    ),
)

IGNORE = re.compile(
    r"(?<![a-z])(?:ignor\w*|exclu\w*|exkludier\w*|discard\w*|drop(?:s|ped|ping)?|remov\w*|skip\w*|reject\w*|omit\w*|disregard\w*|delet\w*|leave out|without|except|"
    r"filter(?:ed|ing)? out|verwirf|verwerf\w*|entferne[nrt]?|ohne|auslass\w*|weglass\w*|ausschliess\w*|ausser|elimin\w*|supprim\w*|sans|sauf|rejet\w*|"
    r"retir\w*|enlev\w*|descart\w*|sin|excepto|quitar?|sem (?:contar|incluir|considerar|detritos|restos|objetos|residuos|sujeira)|exceto|desconsider\w*|remova)(?![a-z])|忽略|去除|排除|除去|剔除|不要|删除|去掉|过滤|除了"
)
"""What is left out: a size after it, in the same clause, is not that of the objects."""

AGAIN = re.compile(
    r"(?<![a-z])(?:segment\w*|find\w*|detect\w*|label\w*|outline|count\w*|keep\w*|mask|finde|suche|behalte?n?|zahle|markier\w*|trouv\w*|gard\w*|compt\w*|"
    r"detekt\w*|encuentr\w*|busca\w*|encontr\w*|mant\w*|conserv\w*|but|aber|sondern|pero)(?![a-z])|分割|检测|寻找|保留|标记|识别|但"
)
"""What ends the reach of :data:`IGNORE`."""

RADIUS = re.compile(r"(?<![a-z])(?:radius|radii|radien|rayons?|radios?|raios?)(?![a-z])|半径")
RADIUS_LETTER = re.compile(r"(?<![a-z])r\s*[=:≈~]\s*$")
AFTER_RADIUS = _after(r"(?:in |of |de |en |im |large )?(?:radius|radii|radien|rayons?|radios?|raios?)", r"(?:的)?半径")
AREA = re.compile(r"(?<![a-z])(?:areas?|\w*flachen?|surfaces?|aires?|superficies?|footprints?)(?![a-z])|面积")
AFTER_AREA = _after(
    r"(?:in |of |de |d'|en |em |cross[\s-]?section\w* |surface )*(?:areas?|flache|surface|aire|superficie)",
    r"(?:的)?面积",
)
ACROSS = _after(r"wide", r"in width", r"breit\w*", r"de large(?:ur)?", r"de ancho", r"de largura", r"minor axis", r"宽")
ALONG = _after(
    r"long",
    r"high",
    r"tall",
    r"in (?:length|height)",
    r"lang\w*",
    r"hoch",
    r"de long(?:ueur)?",
    r"de haut(?:eur)?",
    r"de largo",
    r"de longitud",
    r"de alto",
    r"de comprimento",
    r"de altura",
    r"major axis",
    r"[长高]",
)
BEFORE_ACROSS = _before(
    r"width", r"wide", r"breite", r"largeur", r"ancho", r"anchura", r"largura", r"minor axis", r"宽度?"
)
BEFORE_ALONG = _before(
    r"length",
    r"height",
    r"lange",
    r"hohe",
    r"longueur",
    r"hauteur",
    r"largo",
    r"longitud",
    r"comprimento",
    r"altura",
    r"major axis",
    r"长度?",
    r"高度?",
)
SIZE_WORD = re.compile(
    r"(?<![a-z])(?:(?:diameter|size|durchmesser|grosse|diametre|taille|diametro|tamano|tamanho|radius|rayon|raio)s?)$|(?:直径|大小|尺寸|半径)$|\u2300$"
)
LOCATIVE = re.compile(
    r"(?<![a-z])(?:in|im|within|from|on|of|dans|sur|en|em|no|na|nos|nas|nesta|neste|nessa|aus|auf|per|for)"
    r"(?: (?:this|the|that|these|those|each|every|all|an?|my|our|diese[mnrs]?|de[mnr]|einem|einer|jedem|cette?|ces|chaque|la|les?|el|los|las|"
    r"est[aeo]s?|una?|uma?|cada|o|a|os|as))?\s*$|(?<![a-z])(?:dans|sur) l'$"
)
"""Before a word for the image: where the objects are, not what is measured."""
ABOUT = re.compile(
    r"(?:(?<![a-z])(?:about|around|approximately|approx\.?|roughly|nearly|circa|ca\.?|etwa|ungefahr|rund|um|environ|unos|unas|"
    r"aproximadamente|alrededor de|cerca de)|[~≈约])\s*$"
)
"""Directly before a number: an estimate, as people give it for objects, not for images."""
IMAGE_BEFORE = re.compile(rf"(?<![a-z])(?P<noun>{_IMAGE})$")

FOREIGN = re.compile(
    r"(?<![a-z])(?:der|das|und|mit|etwa|ungefahr|rund|zellkern\w*|kerne?n?|zellen?|grosse[nrms]?|von|durchmesser|segmentiere\w*|"
    r"les|noyaux|noyau|cellules?|environ|avec|et|diametre|une|taille|nucleos?|celulas?|del|unos|unas|aproximadamente|diametro|tamano|tamanho|cerca|"
    r"com|dos|das|mikrometer|micrometros?|nanometros?|nanometres|micrometres de|los|las|el|la|ein\w{0,2}|zwischen|entre|bis)(?![a-z])"
)
"""Words of languages that write a comma where English writes a point."""
