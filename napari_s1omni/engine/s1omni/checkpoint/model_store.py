"""Known models by name: where their checkpoints are, and how to fetch them. Only :func:`fetch` uses the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_s1omni.engine.s1omni.checkpoint.config import CONFIG_NAME
from napari_s1omni.engine.s1omni.checkpoint.layout import Layout, open_layout
from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.settings import models_folder

_PACKAGE = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that has a name."""

    name: str
    title: str
    repository: str | None
    """Repository on the Hugging Face hub; None for a model that comes with this package."""
    license: str

    @property
    def folder(self) -> Path:
        """Its folder, or where it would be once fetched."""
        if self.repository is None:
            return _PACKAGE / "weights" / self.name
        return models_folder() / self.name

    @property
    def present(self) -> bool:
        """Whether the folder has the configuration file of a checkpoint."""
        return (self.folder / CONFIG_NAME).is_file()


MODELS = {
    model.name: model
    for model in (
        KnownModel("nano", "bundled with this package; runs on a CPU", None, "see the model card beside the weights"),
        KnownModel(
            "s1-omni-image",
            "33 B thinker, 20 B editor; one GPU of 141 GB or two of 80 GB",
            "ScienceOne-AI/S1-Omni-Image",
            "Apache-2.0",
        ),
    )
}
"""Known models by name."""


def list_models() -> list[KnownModel]:
    """Return every known model, present or not."""
    return list(MODELS.values())


def locate(name_or_folder: str) -> Path:
    """Return the folder of a model.

    Raises
    ------
    EngineUnavailable
        If it is neither a folder nor a known model that is on this machine.
    """
    model = MODELS.get(name_or_folder)
    if model is None:
        if Path(name_or_folder).is_dir():
            return Path(name_or_folder)
        raise EngineUnavailable(
            f"'{name_or_folder}' is neither a known model nor a folder",
            f"known models are {', '.join(MODELS)}",
            "name one of these or a checkpoint folder that exists",
            name=name_or_folder,
        )
    if not model.present:
        raise EngineUnavailable(
            f"the weights of '{model.name}' are not on this machine ({model.folder})",
            remedy=f"run 's1omni models fetch {model.name}'"
            if model.repository
            else "install the package with its data",
            name=model.name,
            folder=str(model.folder),
        )
    return model.folder


def open_model(name_or_folder: str) -> Layout:
    """Return the layout of a model without loading it."""
    return open_layout(locate(name_or_folder))


def fetch(name: str, folder: str | Path | None = None, revision: str | None = None) -> Path:
    """Download a model from the Hugging Face hub; an interrupted download is continued.

    Parameters
    ----------
    name : str
        A known model, or a repository ``owner/name`` in the released layout.
    folder : path, optional
        Where to put it; default is below :func:`napari_s1omni.settings.models_folder`.
    revision : str, optional
        Branch, tag or commit of the repository.

    Returns
    -------
    Path
        The folder; its layout has been checked.

    Raises
    ------
    EngineUnavailable
        If the name is unknown or the hub cannot be reached.
    CheckpointError
        If the repository is not a checkpoint.
    """
    model = MODELS.get(name)
    repository = model.repository if model is not None else name if name.count("/") == 1 else None
    if repository is None:
        if model is not None:
            return locate(name)
        raise EngineUnavailable(
            f"'{name}' cannot be fetched",
            f"known models are {', '.join(MODELS)}; name others as on the hub, 'owner/name'",
            "name one of these",
            name=name,
        )
    target = Path(folder) if folder is not None else models_folder() / name.replace("/", "--")
    _download(repository, target, revision)
    open_layout(target)
    return target


def _download(repository: str, target: Path, revision: str | None) -> None:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ModuleNotFoundError as error:
        raise EngineUnavailable(
            f"fetching needs the module '{error.name}'",
            remedy="install it with: pip install 'napari_s1omni[models]'",
            module=error.name,
        ) from None
    target.mkdir(parents=True, exist_ok=True)
    try:
        snapshot_download(repository, revision=revision, local_dir=target)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise EngineUnavailable(
            f"{repository} could not be fetched: {error}",
            remedy="check network and disk space, then run the same command again; it continues the download",
            repository=repository,
            folder=str(target),
        ) from error
