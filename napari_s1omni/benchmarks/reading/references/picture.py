"""Pictures as Pillow shows them: upright, with the colours of their palette."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from napari_s1omni.benchmarks.reading.seen import Seen, arrange, check_size


def read(path: Path) -> Seen:
    """Read a picture; the frames of a moving one are time points."""
    with Image.open(path) as image:
        frames = getattr(image, "n_frames", 1)
        check_size((frames, image.height, image.width, 4), np.uint8)
        lasting: set[float] = set()
        shown = []
        for frame in ImageSequence.Iterator(image):
            shown.append(_shown(frame))
            lasting.add(float(frame.info.get("duration", 0)))
        modes = {frame.mode for frame in shown}
        if len(modes) > 1:
            # The first frame of a GIF may be grey while the others have colours.
            shown = [frame.convert("RGBA" if "RGBA" in modes else "RGB") for frame in shown]
        pixels = np.stack([np.asarray(frame) for frame in shown]) if frames > 1 else np.asarray(shown[0])
    letters = ("t" if frames > 1 else "") + ("yx" if pixels.ndim == 2 + (frames > 1) else "yxs")
    axes, pixels, _ = arrange(letters, pixels)
    spatial = axes.replace("c", "")
    scale: dict[str, float] = dict.fromkeys(spatial, 1.0)
    units: dict[str, str | None] = dict.fromkeys(spatial)
    if frames > 1 and len(lasting) == 1 and (milliseconds := lasting.pop()) > 0:
        scale["t"], units["t"] = milliseconds, "ms"
    return Seen("Pillow", axes, pixels, scale, units, names=())


def _shown(image: Image.Image) -> Image.Image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode not in ("P", "PA", "CMYK", "YCbCr", "HSV", "LAB"):
        return upright
    colours = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    # A palette may hold nothing but shades of grey.
    red, green, blue = (band.tobytes() for band in colours.split()[:3])
    return colours.getchannel(0) if colours.mode == "RGB" and red == green == blue else colours
