"""Files that hold several images: list them, choose one, read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_s1omni.core.paths import join_reference, name_in
from napari_s1omni.errors import S1OmniError, SeveralImages, SourceError
from napari_s1omni.storage.readers.file_format import ImageHeader
from napari_s1omni.storage.readers.formats import FormatSource, library_missing
from napari_s1omni.storage.readers.raw_image import RawImage

_MOST_SHOWN = 12


def list_file(source: FormatSource, path: Path) -> tuple[ImageHeader, ...]:
    """List the images of a file.

    Raises
    ------
    SourceError
        If it cannot be read, or holds none.
    """
    reader = source.load()
    try:
        headers = tuple(reader.list_images(path))
    except (S1OmniError, OSError):
        raise
    except ImportError as error:
        raise library_missing(reader.describe(), path, error) from error
    except Exception as error:
        raise _damaged(path, reader.describe().name, error) from error
    if not headers:
        raise SourceError(f"{path} holds no image", f"a file of {reader.describe().name} with images", path=str(path))
    return headers


def read_image_of(source: FormatSource, path: Path, image: str | None) -> RawImage:
    """Read one image of a file.

    Parameters
    ----------
    source : FormatSource
    path : Path
    image : str or None
        Name of the image, or its number, counted from 0. None: the only one.

    Raises
    ------
    SourceError
        If the file cannot be read, or has no such image.
    SeveralImages
        If `image` is None and there are several.
    """
    headers = list_file(source, path)
    number = choose_image(headers, image, path)
    reader = source.load()
    try:
        raw = reader.read_image(path, number)
    except (S1OmniError, OSError):
        raise
    except Exception as error:
        raise _damaged(path, reader.describe().name, error) from error
    uri = join_reference(str(path), headers[number].name if len(headers) > 1 else None)
    return replace(raw, uri=uri)


def choose_image(headers: Sequence[ImageHeader], image: str | None, path: Path | str) -> int:
    """Return the number of the image that is meant; an exact name comes before a number, the main image before pictures.

    Raises
    ------
    SourceError
        If there is none of that name or number.
    SeveralImages
        If `image` is None and there are several.
    """
    names = [header.name for header in headers]
    shown = ", ".join(f"'{name}'" for name in names[:_MOST_SHOWN])
    shown += f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    file = name_in(str(path))
    if image is None:
        main = [number for number, header in enumerate(headers) if header.main]
        if len(main) == 1 or len(headers) == 1:
            return main[0] if main else 0
        raise SeveralImages(
            f"{path} holds {len(headers)} images: {shown}",
            "this needs one image",
            f"choose one by its name or number, such as {join_reference(file, names[0])} or {join_reference(file, '0')}",
            path=str(path),
            images=names,
        )
    if image in names:
        return names.index(image)
    if image.isdecimal() and int(image) < len(headers):
        return int(image)
    raise SourceError(
        f"image '{image}' of {path}",
        f"it holds {len(names)}: {shown}",
        "give one of these names, or a number counted from 0",
        path=str(path),
        images=names,
    )


def _damaged(path: Path, name: str, error: Exception) -> SourceError:
    words = f"{type(error).__name__}: {error}".strip(": ")
    return SourceError(
        f"{path} cannot be read as {name} ({words})",
        "a file is read as its program wrote it, to its end",
        "copy it again, or wait until the program that writes it has finished",
        path=str(path),
    )
