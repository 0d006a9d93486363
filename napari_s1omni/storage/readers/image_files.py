"""Files that hold several images: list them, choose one, read it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from napari_s1omni.core.document import did_you_mean
from napari_s1omni.core.paths import is_left_by_system, is_url, join_reference, name_in
from napari_s1omni.errors import S1OmniError, SeveralImages, SourceError
from napari_s1omni.storage.files.unreadable_file import content_of
from napari_s1omni.storage.readers.file_format import ImageHeader
from napari_s1omni.storage.readers.formats import FormatSource, library_missing
from napari_s1omni.storage.readers.raw_image import RawImage

_MOST_SHOWN = 12
"""Images that a message names."""
_NO_FORMAT = ("empty", "a file of zeros", "a pointer", "a web page")
"""Begin what is no file of any format."""


def list_file(source: FormatSource, path: Path | str) -> tuple[ImageHeader, ...]:
    """List the images of a file, or of a URL whose parts are read; their names are all different.

    Raises
    ------
    SourceError
        If it cannot be read, or holds none.
    """
    reader = source.load()
    with _read_errors(source, path):
        headers = tuple(reader.list_images(path))  # type: ignore[arg-type]  # only readers of URLs get text
        if wrong := next((one for one in headers if not isinstance(one, ImageHeader)), None):
            raise TypeError(f"list_images() returned {type(wrong).__name__}, not ImageHeader")
    if not headers:
        raise SourceError(f"{path} holds no image", f"a file of {reader.describe().name} with images", path=str(path))
    names = unique_names([header.name for header in headers])
    return tuple(replace(header, name=name) for header, name in zip(headers, names, strict=True))


def read_image_of(source: FormatSource, path: Path | str, image: str | None) -> RawImage:
    """Read one image of a file, or of a URL whose parts are read.

    Parameters
    ----------
    source : FormatSource
    path : Path or str
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
    with _read_errors(source, path):
        raw = reader.read_image(path, number)  # type: ignore[arg-type]  # only readers of URLs get text
        if not isinstance(raw, RawImage):
            raise TypeError(f"read_image() returned {type(raw).__name__}, not RawImage")
    notes = (f"read by the package {source.package}", *raw.notes) if source.package else raw.notes
    uri = join_reference(str(path), headers[number].name if len(headers) > 1 else None)
    return replace(raw, uri=uri, notes=notes)


def choose_image(headers: Sequence[ImageHeader], image: str | None, path: Path | str) -> int:
    """Return the number of the image that is meant, as :func:`choose_number`; without a choice the only main one."""
    main = [number for number, header in enumerate(headers) if header.main]
    if image is None and len(main) == 1:
        return main[0]
    return choose_number([header.name for header in headers if header.main or image is not None], image, path)


def choose_number(names: Sequence[str], image: str | None, path: Path | str) -> int:
    """Return the number of the image that is meant; an exact name comes before a number.

    Parameters
    ----------
    names : sequence of str
        Names of the images of a file.
    image : str or None
        Name or number; None means the only one.
    path : Path or str
        The file, for messages.

    Raises
    ------
    SourceError
        If there is none of that name or number.
    SeveralImages
        If `image` is None and there are several.
    """
    shown = ", ".join(f"'{name}'" for name in names[:_MOST_SHOWN])
    shown += f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    file = name_in(str(path))
    if image is None:
        if len(names) == 1:
            return 0
        raise SeveralImages(
            f"{path} holds {len(names)} images: {shown}",
            "this needs one image",
            f"choose one by its name or number, such as --image '{names[0]}' or {join_reference(file, '0')}; "
            "--image '*' runs all of them",
            path=str(path),
            images=list(names),
        )
    if image in names:
        return names.index(image)
    # Paths in HDF5 begin with a slash.
    if (plain := image.removeprefix("/")) in names:
        return names.index(plain)
    if image.isdecimal() and int(image) < len(names):
        return int(image)
    near = did_you_mean(image, list(names))
    raise SourceError(
        f"there is no image '{image}' in {path}.{near}" if near else f"there is no image '{image}' in {path}",
        f"the file holds {shown}" if len(names) == 1 else f"the file holds {len(names)} images: {shown}",
        "give this name, or the number 0" if len(names) == 1 else "give one of these names, or a number counted from 0",
        path=str(path),
        images=list(names),
    )


def unique_names(names: Sequence[str]) -> list[str]:
    """Return names that are all different: equal ones are numbered in their order, an empty one is ``image N``."""
    given = [name.strip() or f"image {number}" for number, name in enumerate(names)]
    often = Counter(given)
    taken = {name for name, count in often.items() if count == 1}
    numbers = {name: itertools.count(1) for name in often}
    found = []
    for name in given:
        if often[name] > 1:
            name = next(new for number in numbers[name] if (new := f"{name} #{number}") not in taken)
            taken.add(name)
        found.append(name)
    return found


@contextmanager
def _read_errors(source: FormatSource, path: Path | str) -> Iterator[None]:
    """Turn whatever a library raises into an error that names the file and says what to do."""
    if is_left_by_system(name_in(path)):
        raise SourceError(
            f"{path} is no image: the system keeps its own notes in files of such names",
            remedy="give the image beside it",
            path=str(path),
        )
    try:
        yield
    except S1OmniError as error:
        if isinstance(error, SourceError) and (other := _other_content(source, path)) is not None:
            raise other from error
        raise
    except ImportError as error:
        raise library_missing(source.load().describe(), path, error) from error
    except FileNotFoundError as error:
        raise SourceError(f"there is nothing at {path}", remedy="check the path", path=str(path)) from error
    except PermissionError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", remedy="check its permissions") from error
    except Exception as error:
        raise _other_content(source, path) or _damaged(source, path, error) from error


def _other_content(source: FormatSource, path: Path | str) -> SourceError | None:
    """Return the error for a file that is something else than its ending says; None if it is not."""
    if is_url(str(path)) or not Path(path).is_file() or (found := content_of(Path(path))) is None:
        return None
    content, remedy = found
    renamed = "rename it" in remedy and not any(ending in remedy for ending in source.endings)
    if not renamed and not content.startswith(_NO_FORMAT):
        return None
    return SourceError(f"{path} is {content}", remedy=remedy, path=str(path))


def _damaged(source: FormatSource, path: Path | str, error: Exception) -> SourceError:
    words = f"{type(error).__name__}: {error}".strip(": ")
    by = f" by the package {source.package}" if source.package else ""
    return SourceError(
        f"{path} cannot be read as {source.load().describe().name}{by} ({words})",
        "a file is read as its program wrote it, to its end",
        "copy it again, or wait until the program that writes it has finished",
        path=str(path),
    )
