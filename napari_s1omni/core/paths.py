"""Paths and URLs as people write them. Every source, output, region, list and table goes through here."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote

from napari_s1omni.errors import JobError

_URL = re.compile(r"(?:[A-Za-z][\w+.-]*::)*[A-Za-z][\w+.-]+://")
_ONE_SLASH = re.compile(r"(https?|s3a?|gs|gcs|az|abfss?|ftp|sftp|hdfs|webdavs?|synthetic):/(?!/)(?=.)", re.IGNORECASE)
"""A URL after :class:`pathlib.Path`, which joins its two slashes."""
_DRIVE = re.compile(r"[A-Za-z]:(?:[\\/]|$)")
_IMAGE_MARK = "::"
"""Between a file and the image in it."""
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*\}?|%[A-Z_]+%")
_LEFT_BY_SYSTEMS = re.compile(
    r"\._.*|\.DS_Store|__MACOSX|\.(?:Spotlight-V100|Trashes|fseventsd)|(?:eh)?thumbs\.db|desktop\.ini|~\$.*|@eaDir",
    re.IGNORECASE,
)


def is_url(text: str) -> bool:
    """Whether a text names something behind a URL, such as ``https://...`` or ``s3://...``; ``file://`` is a path."""
    return bool(_URL.match(text)) and not text.lower().startswith("file:")


def full_path(given: str | os.PathLike[str]) -> str:
    """Return a path in full, or a URL as it is.

    A relative path starts at the working folder, ``~`` and ``~user`` are home folders, and ``file://`` is a path of
    this machine whose ``%20`` is a space. Links stay as they are. Variables such as ``$HOME`` are not replaced.

    Parameters
    ----------
    given : str or Path

    Raises
    ------
    JobError
        If it cannot be a path of this machine: a Windows path, a home folder of an unknown user, a file URL of another
        machine, or a variable.
    """
    text = path_text(given).strip("\r\n")
    if not text.strip() or "\0" in text:
        raise JobError(f"path {text!r}", "a path names a file or folder", "give its name")
    file, image = split_reference(text)
    if image is not None:
        return join_reference(full_path(file), image)
    if (found := _ONE_SLASH.match(text)) and not os.path.lexists(found[1] + ":"):
        text = f"{found[1]}://{text[found.end() :]}"
    if is_url(text):
        protocol, _, rest = text.partition("://")
        return f"{protocol.lower()}://{rest}"
    local = _of_file_url(text) if text.lower().startswith("file:") else text
    path = _at_home(local)
    path = _without_parents(path if path.is_absolute() else _working_folder(text) / path)
    if not os.path.lexists(path):
        _refuse_foreign(text, local)
        _refuse_variables(text, path)
        path = _as_stored(path)
    return str(path)


def split_reference(text: str) -> tuple[str, str | None]:
    """Split ``FILE::NAME`` or ``FILE::INDEX`` into the file and the image in it.

    The split is at the last ``::`` whose left side is a file, a folder or a pattern, so names may hold ``::`` and
    slashes; behind a URL it is at the first one.

    Parameters
    ----------
    text : str
        A path or URL, with or without an image.

    Returns
    -------
    (str, str or None)
        Path or URL, and name or number of the image; None where the whole text is a path or URL.
    """
    if _IMAGE_MARK not in text or os.path.lexists(text):
        return text, None
    if is_url(text):
        return _split_url(text)
    ends = [found.start() for found in re.finditer(f"(?={_IMAGE_MARK})", text)]
    parts = [(text[:end], text[end + len(_IMAGE_MARK) :]) for end in reversed(ends)]
    parts = [(left, right) for left, right in parts if left and right]
    named = next((part for part in parts if _is_there(part[0])), None)
    return named or next((part for part in parts if glob.has_magic(part[0])), (text, None))


def _is_there(place: str) -> bool:
    try:
        return os.path.exists(place) or os.path.exists(full_path(place))
    except JobError:
        return False


def _split_url(text: str) -> tuple[str, str | None]:
    protocol, _, rest = text.rpartition("://")
    if protocol.lower() in ("synthetic", "memmap"):
        return text, None
    # The address of a host may hold colons too, within brackets.
    begin = rest.find("]") + 1 if rest.startswith("[") else 0
    file, mark, image = rest[begin:].partition(_IMAGE_MARK)
    return (f"{protocol}://{rest[:begin]}{file}", image) if mark and file and image else (text, None)


def join_reference(where: str, image: str | None) -> str:
    """Return ``FILE::NAME``, or the file alone without an image."""
    return where if image is None else f"{where}{_IMAGE_MARK}{image}"


def path_text(given: str | os.PathLike[str]) -> str:
    """Return a path as text.

    Raises
    ------
    JobError
        If it is neither text nor a path.
    """
    if isinstance(given, str) or (isinstance(given, os.PathLike) and isinstance(os.fspath(given), str)):
        return os.fspath(given)
    raise JobError(
        f"{given!r} ({type(given).__name__}) cannot be a path", "a path is text or a pathlib.Path", "write it as text"
    )


def settled_path(given: str | os.PathLike[str]) -> str:
    """Return a path in full as :func:`full_path` does; one that it refuses stays as it is, for its user to refuse."""
    try:
        return full_path(given)
    except JobError:
        return os.fspath(given)


def local_path(
    given: str | os.PathLike[str],
    what: str = "output",
    remedy: str = "choose a path on this machine, and copy it to that address afterwards",
) -> Path:
    """Return a path of this machine in full, for something that is written there.

    Parameters
    ----------
    given : str or Path
    what : str
        What it names, for the message.
    remedy : str
        What to do about a URL.

    Raises
    ------
    JobError
        If it is a URL, or as :func:`full_path`.
    """
    text = full_path(given)
    if is_url(text):
        raise JobError(f"{what} {text} is a URL", "behind a URL, nothing is written or changed", remedy)
    return Path(text)


def name_in(where: str | os.PathLike[str]) -> str:
    """Return the last name of a path or URL, without the query of the URL and without the image in a file."""
    text, _ = split_reference(os.fspath(where))
    if is_url(text):
        text = re.split(r"[?#]", text, maxsplit=1)[0] if text.startswith("http") else text.partition("?")[0]
    return text.rstrip("/").rpartition("/")[2]


def is_left_by_system(name: str) -> bool:
    """Whether macOS, Windows, Office or a file server leaves files of this name beside those of their users."""
    return _LEFT_BY_SYSTEMS.fullmatch(name) is not None


def _of_file_url(text: str) -> str:
    """Return the path in a file URL."""
    path = text[len("file:") :]
    if path.startswith("//"):
        host, slash, rest = path[2:].partition("/")
        if host.lower() in ("", "localhost", "127.0.0.1"):
            path = f"/{rest}"
        elif host[:1] in "~." or _DRIVE.match(host):
            path = host + slash + rest
        else:
            raise JobError(
                f"{text} names a file of the machine '{host}'",
                "file:///folder/name has three slashes and names a file of this machine",
                "mount the folder here and give its path",
            )
    if _DRIVE.match(path[1:]):
        path = path[1:]
    decoded = unquote(path, errors="surrogateescape")
    # Some programs write a plain path behind file://; then a file may really be called a%20b.
    return path if os.path.lexists(path) and not os.path.lexists(decoded) else decoded


def _at_home(text: str) -> Path:
    """Replace ``~`` and ``~user``."""
    path = Path(text)
    if not text.startswith("~"):
        return path
    try:
        return path.expanduser()
    except RuntimeError:
        if os.path.lexists(path):
            return path
        user = path.parts[0]
        raise JobError(
            f"{text}: no home folder of '{user}' is known",
            "~ is your home folder, ~name that of another user",
            f"write the whole path, or ./{text} for a name that begins with ~",
        ) from None


def _working_folder(text: str) -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise JobError(
            f"{text} starts at the working folder, which was deleted",
            remedy="change to another folder, or write the whole path",
        ) from None


def _without_parents(path: Path) -> Path:
    """Resolve ``..`` as the system does, following the links before it."""
    if ".." not in path.parts:
        return path
    last = len(path.parts) - path.parts[::-1].index("..")
    return Path(os.path.realpath(Path(*path.parts[:last])), *path.parts[last:])


def _refuse_foreign(text: str, path: str) -> None:
    if os.sep == "/" and (_DRIVE.match(path) or "\\" in path):
        raise JobError(
            f"{text} is a path of Windows",
            "a path of this machine has the form /folder/name",
            "give the path under which that folder is mounted here, such as /mnt/c/folder/name",
        )


def _refuse_variables(text: str, path: Path) -> None:
    """Refuse a variable that nobody replaced; a folder or file may really have such a name."""
    for folder in (path, *path.parents):
        if (found := _VARIABLE.search(folder.name)) and not os.path.lexists(folder):
            raise JobError(
                f"{text} holds '{found[0]}'",
                "variables are replaced by the shell, not in job files, lists or Python",
                "write the path itself; in Python, os.path.expandvars replaces variables",
            )


def _as_stored(path: Path) -> Path:
    """Find a name whose accents are stored in another way, as on a disk of a Mac."""
    if not str(path).isascii():
        for form in ("NFC", "NFD"):
            if os.path.lexists(other := unicodedata.normalize(form, str(path))):
                return Path(other)
    return path
