"""Sample images: some ship with scikit-image; synthetic ones are computed when they are displayed."""

from __future__ import annotations

from napari_s1omni.frontends.napari_layers.source_layers import LayerData, synthetic_layer

VOLUME = "synthetic://nuclei?shape=2,32,4096,4096&axes=czyx&seed=7&diameter=24&scale=1,1.2,0.4,0.4"
"""Two channels of 32 planes of 4096 x 4096 px: 2.1 GB, none of it stored."""


def coins() -> list[LayerData]:
    """Return Greek coins: a grayscale image with an uneven background."""
    from skimage import data

    return [(data.coins(), {"name": "coins"}, "image")]


def tissue() -> list[LayerData]:
    """Return colon tissue, immunohistochemistry: an RGB image of nuclei and a brown stain."""
    from skimage import data

    return [(data.immunohistochemistry(), {"name": "tissue (IHC)", "rgb": True}, "image")]


def nuclei() -> list[LayerData]:
    """Return a synthetic monolayer of nuclei, 2048 x 2048 px."""
    return [synthetic_layer("synthetic://nuclei?shape=2048,2048&seed=3&diameter=28&scale=0.325,0.325", "nuclei")]


def volume() -> list[LayerData]:
    """Return two channels of nuclei in 3D, 2.1 GB, computed when they are displayed."""
    return [synthetic_layer(VOLUME, "nuclei 3D")]
