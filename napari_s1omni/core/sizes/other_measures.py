"""What a size in a request measures if it is not the size of an object; phrases in six languages, on folded text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from napari_s1omni.core.sizes.phrases import after, anywhere, before
from napari_s1omni.core.sizes.surroundings import EDGE_OF_IMAGE, IMAGE, KIND_OF_SECTION, SECTION, VESSEL

_NOTHING = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class Measure:
    """Something else than the size of an object, with the words that announce it."""

    why: str
    """Continues: this is not used as the object size: it ..."""
    before: re.Pattern[str] = _NOTHING
    """Directly before the size, or with words such as "about" between."""
    with_article: re.Pattern[str] = _NOTHING
    """Directly before the size, with nothing between."""
    after: re.Pattern[str] = _NOTHING
    """Directly after the size."""
    anywhere: re.Pattern[str] = _NOTHING
    """Before the size, anywhere in its clause."""
    unless: re.Pattern[str] = _NOTHING
    """Directly after the size: it is that of the objects all the same."""
    physical: bool = False
    """Whether it is never given in pixels."""
    light: bool = False
    """Whether it is a wavelength, from 200 to 2000 nm."""


_PIXEL = r"(?:px|pixels?|pixel[sn]|pixeles|pixeis|voxels?|voxeles|voxeis|\w*pixelgrosse|像素|体素)"
_OF_PIXEL = r"(?:[\s_-]*(?:size|width|pitch|edge|length|scale|spacing|calibration|grosse|breite|abstand|kantenlange))?"
_MEANS = (
    r"(?:\s*(?:corresponds? to|represents?|measures?|covers?|entspr\w+|hat|haben|correspond\w*|mesur\w+|"
    r"mede|mide|equivale\w*|equivaut|vaut|代表|对应))?"
)
_KIND_OF_SIZE = (
    r"(?:[\s._-]*(?:object|cell|nuclear|nucleus)?[\s._-]*(?:size|diameter|radius|area|width|length|grosse|durchmesser|"
    r"flache|radien|taille|diametre|rayon|aire|surface|tamano|diametro|radio|tamanho|raio)[a-z]*)?"
)
MEASURES = (
    Measure(
        "is a length per pixel, or per something else",
        before=before("en: per; pro; je; par; por"),
        after=re.compile(
            r"\s*\)?\s*(?:/\s*(?:1\s*)?[a-zμå一-龥]|(?:per|pro|je|par|por|p\.)\s+\w|a (?:px|pixel)(?![a-z])|每(?!隔)"
            r"|[\s*]*[a-z]+\^-1)"
        ),
    ),
    Measure(
        "is the size of a pixel",
        before=re.compile(
            rf"(?:(?<![a-z]){_PIXEL}|每(?:个|一)?像素){_OF_PIXEL}{_MEANS}\s*$|"
            + before(r"""
            en: mpp; calibrat\w*; sampling
            de: kalibrier\w*; abtast\w*
            fr: etalonn\w*; echantillonnage
            es: calibra\w*; muestreo
            pt: amostragem
            zh: 标定; 采样
            """).pattern
        ),
        after=re.compile(
            rf"[\s\-(]*(?:square\s+|camera\s+|detector\s+|image\s+)?(?:(?:{_PIXEL})(?![a-z])(?!\s*(?:size|的?大小))|mpp(?![a-z]))"
        ),
        anywhere=anywhere(rf"""
            en: {_PIXEL}[\s_-]*(?:sizes?|width|pitch|calibration); size of (?:a|the|one|each) (?:pixel|voxel)
            de: pixelgrosse; pixelabstand; pixelbreite; voxelgrosse
            fr: tailles? d[eu]s? (?:pixels?|voxels?)
            es: tamano d[eo]l?s? (?:pixel|voxel)\w*
            pt: tamanho d[eo]s? (?:pixel|pixeis|voxel)\w*
            zh: 像素的?(?:大小|尺寸|间距|边长)
            """),
        physical=True,
    ),
    Measure("is the scale of the image", before=before("en: scale; massstab; echelle; escala; 比例")),
    Measure(
        "is a limit, not a size",
        before=re.compile(
            r"[<>≤≥]\s*=?$|"
            + before(rf"""
            en: than; than or; or equal; exceed\w*; up to; down to; from; at least; at most; above; below; over; under
            en: beneath; within; least; most; lower limit; upper limit; threshold; cut-?off; limit\w*
            en: (?:min|max|minim\w*|maxim\w*|smallest|largest)\.?{_KIND_OF_SIZE}; (?:smallest|largest|biggest) \w+
            de: als; als oder; oder gleich; bis(?: zu)?; ab; uber; unter; oberhalb; unterhalb; innerhalb; schwell\w+
            de: wenigstens; (?:mindest\w*|hochst\w*|kleinst\w*|grosst\w*){_KIND_OF_SIZE}; (?:kleinsten?|grossten?) \w+
            fr: que; que ou; ou (?:egale?s?|egaux); jusqu'?; au moins; au plus; plus; moins; sous; seuil
            fr: superieure?s?; inferieure?s?; plus (?:petit|grand)s? \w+
            es: o igual\w*; hasta; desde; a partir; al menos; por lo menos; a lo sumo; no mais; mas; menos; umbral; bajo
            es: superior(?:es)?; inferior(?:es)?; mayor(?:es)?; menor(?:es)?; encima; debajo
            pt: ou igual\w*; ate; pelo menos; mais; maior(?:es)?; acima; abaixo; limiar
            zh: (?:小于|大于|超过|低于|高于|少于|多于|至少|至多|不到|不足|以内)(?:等于)?
            zh: 最[多少小大]的?(?:直径|尺寸|大小|面积|半径|值)?
            """).pattern
        ),
        after=re.compile(
            r"[\s\-(),]*(?:(?:or|and) (?:more|larger|bigger|greater|less|smaller|above|below|up|over|under)|"
            r"(?:oder|und) (?:mehr|grosser|kleiner|weniger|daruber|darunter)|(?:ou|et) (?:plus|moins)|"
            r"[oy] (?:mas|menos|mayor\w*|menor\w*)|(?:ou|e) (?:mais|menos|maior\w*|menor\w*))(?![a-z])|"
            r"[\s\-(]*(?:at least|at most|minimum|maximum|max\.?|min\.?|mindestens|hochstens|au moins|au plus|"
            r"como minimo|como maximo|no minimo|no maximo|upwards?)(?![a-z])(?!\s+$)|"
            r"\s*[<>≤≥]|\s*[及或]?以[上下内]|\s*[及或]?更[大小]|\+"
        ),
    ),
    Measure(
        "is the spread of the sizes",
        before=before(r"""
            en: std\.?; sd; deviation; tolerance; variation; ±; \+/-
            de: toleranz
            es: tolerancia; desviacion(?: estandar| tipica)?
            pt: desvio(?: padrao)?
            """),
        anywhere=anywhere(r"""
            en: standard deviation
            de: standardabweichung
            fr: ecart[- ]types?
            zh: 标准差; 偏差; 误差; 公差
            """),
    ),
    Measure(
        "is a distance",
        before=before(r"""
            en: every; step; stride; z\s*=?; neighbou?rs? at
            de: alle; schritt\w*
            fr: tous les; toutes les; pas
            es: cada; paso
            pt: passo
            zh: 每隔?; 步长; 层距; 步进
            """),
        after=after(r"""
            en: (?:in )?(?:distance|spacing|separation); apart; away; distant\w*; spaced; steps?; gaps?
            en: (?:z|axial|focus|focal|optical|grid)[\s-]*(?:steps?|spacing|intervals?|distances?)
            en: (?:from|between) (?:each other|one another|neighbou?r\w*)
            en: between (?:them|the|its|their|nuclei|cells|objects|cent\w+)
            en: (?:below|above|under|beneath|inside|outside) the (?:surface|edge|top|bottom|border|coverslip|glass)
            en: (?:to|from) (?:the )?(?:edge|border|surface|cent\w+|membrane)
            de: z[\s-]*(?:schritt\w*|abstand\w*)
            de: (?:weit )?(?:voneinander|auseinander|entfernt|abstand\w*); vom; von der; unter der; uber der
            fr: (?:de |d')?(?:distance|ecart|espacement|intervalle)s?; entre; du bord; de la surface
            fr: les un\w+ des autres
            es: (?:de )?(?:distancia|separacion|espaciado|intervalo); del borde; un[oa]s de otr[oa]s
            pt: (?:de )?(?:separacao|espacamento); da borda; un[oa]s d[oa]s outr[oa]s
            zh: 的?(?:间距|距离|间隔|步长)
            """),
        anywhere=anywhere(r"""
            en: distances?; spacings?; spaced; gaps?; apart; separated; separations?; intervals?; pitch
            en: step[\s-]?sizes?; z[\s-]*(?:steps?|interval|range|schritt\w*)
            de: abstand\w*; \w*abstande?n?; entfernung\w*; entfernt; schrittweite; lucken?
            fr: espacements?; espacees?; espaces?; separee?s?; ecarts?; ecartes?; ecartees?; intervalles?; distantes?
            es: distancias?; separad[oa]s; separacion; espaciad[oa]s?; intervalos?
            pt: separacao; espacamento; espacad[oa]s; afastad[oa]s
            zh: 间距; 距离; 相距; 相隔; 间隔; 间隙; 步长
            """),
    ),
    Measure(
        "is a thickness",
        before=before(r"""
            en: thick\w*; (?:cut|sectioned|sliced)(?: (?:at|in|into|to))?
            de: dick\w*; geschnitten(?: auf)?
            fr: epais\w*; (?:coup|tranch)ee?s?(?: a)?
            es: gros[oa]s?; cortad[oa]s?(?: en)?
            pt: espess\w*; cortad[oa]s?(?: em)?
            zh: 厚度?; 切成
            """),
        after=after(r"""
            en: thick\w*; (?:in|of) thickness; coverslips?
            de: dick\w*; deckgla\w+
            fr: (?:d'|d |en )?epais\w*; lamelles?
            es: (?:de |en )?(?:grosor|espesor|grueso); cubreobjetos
            pt: (?:de |em )?espess\w*; laminulas?
            zh: 厚; 的?(?:组织)?(?:切片|薄片); 盖玻片
            """),
        anywhere=anywhere(r"""
            en: thickness(?:es)?
            de: \w+dicke
            fr: epaisseurs?
            es: grosor; espesor
            pt: espessuras?
            zh: 厚度; 层厚
            """),
    ),
    Measure(
        "is a thickness",
        before=before(rf"en: {SECTION}(?: (?:histolog\w+|fin[ea]s?|minces?|delgad[oa]s?|congel\w+|parafin\w+))?; 切片"),
        after=after(rf"""
            en: (?:thin |tissue |paraffin |frozen |cryo[\s-]?|vibratome |optical )*{SECTION}; {KIND_OF_SECTION}
            de: dunne[nrms]? {SECTION}
            """),
        physical=True,
    ),
    Measure(
        "is the size of what the objects lie in",
        before=before(rf"en: {VESSEL}; 载玻片; 盖玻片; 培养皿"),
        with_article=re.compile(r"(?<![a-z])(?:(?:in|on|within|inside) (?:an?|one)|(?:in|auf) eine[mnr])\s*$"),
        unless=after("en: (?:size )?range; size; diameter; radius; area; bereich; gross\\w*"),
        after=after(rf"en: {VESSEL}; 的?(?:载玻片|盖玻片|培养皿)"),
        physical=True,
    ),
    Measure(
        "is a depth",
        before=before(r"en: deep; tief\w*"),
        after=after(r"""
            en: (?:in |of )?(?:deep|depths?); (?:in|along) z; axially
            de: tief\w*
            fr: (?:de |en )?profond\w*
            es: (?:de |en )?profund\w*
            zh: 深
            """),
        anywhere=anywhere(r"""
            en: depths?
            de: tiefe; \w+tiefe
            fr: profondeurs?
            es: profundidad(?:es)?
            pt: profundidades?
            zh: 深度
            """),
    ),
    Measure(
        "is a scale bar",
        before=before("en: bars?; balken"),
        after=after(r"""
            en: (?:long )?(?:scale[\s-]?)?bars?
            de: massstab\w*
            fr: barres? d'echelle
            es: barras? de escala
            zh: 的?(?:比例尺|标尺)
            """),
        anywhere=anywhere(r"""
            en: scale[\s-]?bars?
            de: massstab\w*
            fr: barres? d'echelle; echelle
            es: barras? de escala; escala
            zh: 比例尺; 标尺; 标度尺
            """),
    ),
    Measure(
        "is the field of view",
        before=before("en: champs?; campos?"),
        after=after(r"""
            en: fields? of view; fov
            de: (?:sicht|gesichts|bild)feld\w*
            fr: champs?(?: de vision| visuel| de vue)?
            es: campos?(?: de vision| visual)?
            pt: campos? de visao
            zh: 的?视[野场]
            """),
        anywhere=anywhere(r"""
            en: fields? of view; fov
            de: (?:sicht|gesichts|bild)feld\w*
            fr: champs? (?:de vision|visuel|de vue)
            es: campos? (?:de vision|visual|visuales)
            pt: campos? (?:de visao|visuais)
            zh: 视野; 视场
            """),
    ),
    Measure(
        "is the size of the image or of a part of it",
        after=after(rf"""
            en: (?:wide|large|big|square|long)?\s*{IMAGE}
            de: (?:grosse[nrms]?|breite[nrms]?)?\s*{IMAGE}
            zh: [宽大]?的?(?:图像|图片|图块|窗口|瓦片|视窗)
            """),
        anywhere=anywhere(rf"""
            en: {IMAGE}{EDGE_OF_IMAGE}
            de: bildgrosse; kachelgrosse
            fr: tailles? d(?:e l'|es |e )(?:image|tuile)s?
            es: tamano de (?:la )?(?:imagen|tesela|recorte)
            pt: tamanho da imagem
            zh: (?:图像|图片|图块)的?(?:大小|尺寸|宽度|高度)
            """),
    ),
    Measure(
        "is a setting of a filter or of an outline",
        before=before(r"""
            en: overlap\w*; halos?; margins?; padding; borders?; offsets?; shift\w*; drift\w*; mov(?:e|es|ed|ing); by
            en: dilat\w*; erod\w*; expan\w*; grow\w*; shrink\w*; enlarge\w*; smooth\w*; blur\w*; sigma; kernels?; bin
            en: filters?; gauss\w*; psf; fwhm; resolutions?; resolved; jitter; binning; pinhole; line ?width; stroke
            en: rims?; rings?; contours?; top[\s-]?hat; rolling[\s-]?ball
            en: accuracy; precision; error
            en: (?:background|search|smoothing|structuring element)(?: radius| size| diameter)
            de: auflosung\w*; uberlapp\w*; rand; verschieb\w*; verschoben; weichgezeichnet; glatt\w*; geglattet
            de: unscharfe; erweiter\w*; genauigkeit
            fr: flou\w*; recouvrement; marges?; lisse\w*; decal\w*
            es: resolucion; desenfoque; suaviz\w*; solap\w*; margen; borrado; desplaz\w*
            pt: resolucao; margem; sobrepos\w*; desfoque; desloc\w*
            zh: 分辨率; 模糊; 重叠; 平滑; 边缘; 膨胀; 腐蚀; 精度; 偏移
            """),
        after=after(r"""
            en: overlaps?; margins?; padding; borders?; halos?; kernels?; filters?; gauss\w*; blur\w*; sigma; resolution
            en: dilation; erosion; shifts?; offsets?; drift; lines?; outlines?; rolling[\s-]?ball; median; top-?hat
            de: uberlapp\w*; rand; unscharfe; erweiter\w*; vergrosser\w*; verschieb\w*
            fr: de recouvrement; de marge
            es: de solapamiento; de margen
            pt: de sobreposicao; de margem
            zh: 的?(?:重叠|模糊|分辨率|边距)
            """),
        anywhere=anywhere(r"""
            en: dilate; erode; expand; grow; shrink; enlarge; shift; move; resolution of; psf; fwhm
            en: rolling[\s-]?ball; structuring element; (?:kernel|filter|blur|dilation|erosion) (?:radius|size)
            """),
    ),
    Measure(
        "is a part or a multiple of a size",
        after=after("en: and a half; et demie?; y medi[ao]; e mei[ao]; 半"),
        anywhere=anywhere(r"en: (?:half|twice) as \w+; (?:halb|doppelt) so \w+; deux fois; dos veces; duas vezes"),
        before=before(
            r"en: third; half; quarter; fifth; tenth; twice; double; times; hal[bf]\w*; tiers; moitie; mitad; metade"
        ),
    ),
    Measure(
        "is a part of the setup",
        after=after("en: (?:cell )?strainers?; pores?; mesh(?:es)?; wells?; pinholes?; pillars?; needles?"),
    ),
    Measure(
        "is what is left out",
        before=before(r"en: (?:but )?not; nicht; kein\w*; (?:mais )?pas; nao"),
        after=after(r"""
            en: (?:large |small )?(?:debris|specks?|dust|dirt|artefacts?|artifacts?|noise)
            de: (?:grosse\w*|kleine\w*)?\s*(?:krumel\w*|schmutz\w*|artefakte?n?)
            fr: d(?:e |')(?:debris|poussieres?)
            es: de (?:restos|residuos|basura)
            pt: de (?:detritos|sujeira)
            zh: 的?(?:碎片|杂质|噪声|噪点)
            """),
    ),
    Measure(
        "is a wavelength",
        before=before(r"""
            en: at; @; dapi; hoechst\w*; [a-z]?gfp; yfp; rfp; cfp; bfp; mcherry; tdtomato; cy ?[357]; fitc; tritc; atto
            en: alexa(?: fluor)?; texas red; txred; draq5; sytox\w*; channels?; ch; lines?; led; ex; em
            de: bei; kanal
            fr: canal
            zh: 通道
            """),
        after=after(r"""
            en: lasers?; excit\w*; emission\w*; light; illuminat\w*; channels?; filters?; led; lines?; wavelengths?
            en: dapi; hoechst; [a-z]?gfp; rfp; mcherry; cy[357]; fitc; tritc
            de: laserlini\w*; anreg\w*; angeregt; kanal; licht; wellenlange\w*; laserlicht
            fr: lumiere; canal
            es: luz
            zh: 的?(?:激光|激发|通道|波长|光)
            """),
        anywhere=anywhere(r"""
            en: lasers?; laser\w*; wavelengths?; excit\w*; emis+\w*; emitt\w*; illuminat\w*; bandpass; lambda
            de: wellenlange\w*; anreg\w*; angeregt
            fr: longueurs? d'ondes?
            es: longitud\w* de onda
            pt: comprimentos? de onda
            zh: 激光; 波长; 激发; 发射; \u03bb
            """),
        light=True,
    ),
    Measure(
        "is a perimeter",
        after=after(r"""
            en: (?:in |of )?(?:perimet\w*|circumferen\w*)
            de: umfang\w*
            fr: (?:de |en )?(?:perimet\w*|circonferenc\w*|circunferenc\w*)
            zh: 周长
            """),
        anywhere=anywhere(r"""
            en: perimet\w*; circumferen\w*
            de: umfang\w*
            fr: circonferenc\w*; circunferenc\w*
            zh: 周长
            """),
    ),
)
"""In the order in which they are tried."""
