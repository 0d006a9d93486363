"""Words for what objects lie in, in six languages: sections, vessels, images; and for the light that shows them."""

from __future__ import annotations

from napari_s1omni.core.sizes.phrases import before

SECTION = (
    r"(?:sections?|slices?|slabs?|tissues?|cryosections?|\w*schnitte?n?|scheiben?|schichten?|coupes?|tranches?|cortes?|"
    r"secciones|seccion|rebanadas?|fatias?|secoes|seccoes|seccao|secao)"
)
_LINKS = (
    r"(?:in|of|on|and|or|with|within|from|per|by|for|to|at|as|a|an|the|this|that|each|every|all|across|throughout|through|"
    r"over|under|between|inside|along|near|using|then|sur|dans|et|ou|mit|auf|im|con|com|nucleus|cell|bead|yeast)"
)
KIND_OF_SECTION = rf"(?:(?!{_LINKS}(?![a-z]))[a-z]*[a-hj-rt-z][\s-]){{1,3}}(?:sections?|slices?|slabs?|cryosections?)"
"""A section with up to three words such as "coronal mouse brain": none that links to it, and no objects, in plural."""
VESSEL = (
    r"(?:(?:(?:microscope|microscopy|glass|object|chamber|petri|culture|tissue)[\s-])*"
    r"(?:slides?|coverslips?|dish(?:es)?|flasks?|plates?)|objekttrager\w*|deckgla\w+|(?:petri)?schalen?|"
    r"lames?|lamelles?|boites?|portaobjetos?|cubreobjetos?|laminas?|laminulas?)"
)
"""What carries a sample. Cores and capillaries are no such words: they are objects of their own as well."""
IMAGE = (
    r"(?:images?|pictures?|micrographs?|tiles?|crops?|patch(?:es)?|frames?|stacks?|volumes?|rois?|windows?|blocks?|"
    r"chunks?|fields?|grids?|mosaics?|bild(?:er)?n?|bildausschnitte?|kacheln?|ausschnitte?|fenster|stapel|tuiles?|"
    r"fenetres?|vignettes?|imagen(?:es)?|recortes?|ventanas?|teselas?|mosaicos?|imagem|imagens|janelas?|blocos?)"
)
EDGE_OF_IMAGE = r"[\s_-]*(?:size|width|height|edge|length|grosse|breite|hohe|taille|largeur|hauteur|tamano|tamanho)"

LASER_LINES = frozenset(
    (
        *(355, 375, 405, 440, 442, 445, 457, 458, 473, 476, 488, 491, 514, 515, 532, 543, 552, 555, 561, 568, 592, 594),
        *(633, 635, 637, 638, 639, 640, 642, 647, 658, 660, 685, 730, 750, 775, 785, 1064),
    )
)
"""In nm. Nobody measures an object as 488 nm."""

IMAGE_BEFORE = before(rf"""
    en: {IMAGE}
    zh: 图像; 图片; 图块; 窗口; 瓦片; 视窗
    """)
