"""Check that a run may use an output folder: it is apart from the source and holds nothing else."""

from __future__ import annotations

from pathlib import Path

from napari_s1omni.core.document import did_you_mean
from napari_s1omni.core.image_references import folder_of
from napari_s1omni.core.paths import is_left_by_system, is_url, settled_path
from napari_s1omni.errors import StoreError, StoreExists, StoreMissing
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.image_group.image_levels import is_image
from napari_s1omni.system.files import is_readable


def existing_parent(path: Path) -> Path:
    """Return the folder itself, or its nearest parent that exists."""
    folder = path.absolute()
    while not folder.exists():
        folder = folder.parent
    return folder


def nothing_at(place: Path | str, what: str) -> StoreMissing:
    """Return the error for a place that holds no result or no run; a similar name beside it is suggested."""
    folder = Path(place)
    if is_url(str(place)) or folder.exists():
        given = f"{place} holds no {what}"
    else:
        beside = existing_parent(folder)
        names = [entry.name for entry in beside.iterdir()] if is_readable(beside) else []
        # All results end alike.
        near = did_you_mean(folder.name, names, 0.75)
        given = f"there is no folder {place}.{near}"
    return StoreMissing(given, f"a {what} is in the output folder of a job", "name such a folder", path=str(place))


def check_apart(path: Path, source: str | None, into: bool) -> None:
    """Refuse an output that is the source, lies in it or holds it; with `into`, it may lie in its ``labels`` group."""
    if source is None or is_url(source):
        return
    origin = Path(folder_of(settled_path(source)))
    here, there = path.resolve(), origin.resolve()
    if here == there:
        given = f"output {path} is the source itself"
    elif here in there.parents:
        given = f"the source {origin} lies inside the output {path}"
    else:
        # The source may be one level of an image, which is then a folder above.
        images = [folder for folder in (there, *there.parents) if folder in here.parents and is_image(folder)]
        if not images or (into and here.parent.parent == images[0]):
            return
        given = f"output {path} lies inside the source {images[0]}"
    raise StoreError(given, remedy="choose another output", path=str(path), source=source)


def check_no_other_files(path: Path) -> None:
    """Refuse a file, or a folder with files that no run made."""
    if path.is_dir():
        entries = {entry.name for entry in path.iterdir() if not is_left_by_system(entry.name)}
        if not entries or WORK in entries:
            return
        given = f"{path} holds other files ({', '.join(sorted(entries)[:3])}{', ...' if len(entries) > 3 else ''})"
    elif path.exists():
        given = f"{path} is a file"
    elif not (parent := existing_parent(path)).is_dir():
        given = f"{path} lies in {parent}, which is a file"
    else:
        return
    raise StoreExists(
        given,
        "an output is a new or empty folder, or the output of the same job",
        "choose another output",
        path=str(path),
    )
