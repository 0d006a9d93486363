"""Who agreed that pictures leave this machine, for each source and server. Checked before the first pixel goes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from napari_s1omni.endpoint.configuration import Endpoint
from napari_s1omni.endpoint.protocol import MADE_HERE, Turn
from napari_s1omni.errors import ConsentMissing, JobError
from napari_s1omni.settings import config_folder
from napari_s1omni.system.files import replace_file

FILE = "consents.json"
EVERY_SOURCE = "*"
"""Consent for all sources of an endpoint, such as a server of the own lab."""


class Consents:
    """The consents of a user: for each server, the sources whose pictures may be sent to it.

    A server on this machine needs none. A consent belongs to the address of a server, not to the name of an endpoint,
    so that another URL under the same name asks again.

    Parameters
    ----------
    path : Path, optional
        File in which they are kept; by default in the user's config folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._once: set[tuple[str, str]] = set()

    @property
    def path(self) -> Path:
        """File in which they are kept."""
        return self._path or config_folder() / FILE

    def has(self, endpoint: Endpoint, source: str) -> bool:
        """Return whether pictures of a source may be sent."""
        if endpoint.is_local or source == MADE_HERE:
            return True
        kept = self._read().get(endpoint.origin, ())
        return any(s in kept or (endpoint.origin, s) in self._once for s in (source, EVERY_SOURCE))

    def missing(self, endpoint: Endpoint, turns: Iterable[Turn]) -> tuple[str, ...]:
        """Return the sources in a conversation whose pictures may not be sent, in their order."""
        shown = dict.fromkeys(picture.source for turn in turns for picture in turn.pictures)
        return tuple(source for source in shown if not self.has(endpoint, source))

    def give(self, endpoint: Endpoint, source: str, *, keep: bool = True) -> None:
        """Agree that pictures of a source go to a server.

        Parameters
        ----------
        endpoint : Endpoint
        source : str
            Path or URI of the source, or :data:`EVERY_SOURCE`.
        keep : bool
            Store the consent; otherwise it ends with this object.
        """
        self._once.add((endpoint.origin, source))
        if keep:
            known = self._read()
            known[endpoint.origin] = sorted({*known.get(endpoint.origin, ()), source})
            self._write(known)

    def withdraw(self, endpoint: Endpoint) -> None:
        """Take back every consent for a server."""
        self._once = {(origin, source) for origin, source in self._once if origin != endpoint.origin}
        known = self._read()
        if known.pop(endpoint.origin, None) is not None:
            self._write(known)

    def require(self, endpoint: Endpoint, turns: Iterable[Turn]) -> None:
        """Raise unless all pictures of a conversation may be sent.

        Raises
        ------
        ConsentMissing
            ``facts['sources']`` lists the sources that nobody agreed to, ``facts['host']`` is the server.
        """
        turns = tuple(turns)
        missing = self.missing(endpoint, turns)
        if not missing:
            return
        views = sum(picture.source in missing for turn in turns for picture in turn.pictures)
        raise ConsentMissing(
            f"{views} {'picture' if views == 1 else 'pictures'} of {', '.join(missing)} would leave this computer "
            f"for {endpoint.host}, and nobody agreed to that. Nothing was sent",
            "a consent for each source and server, or a server on this machine",
            "agree when asked, or with --send",
            sources=missing,
            host=endpoint.host,
            origin=endpoint.origin,
            pictures=views,
        )

    def _read(self) -> dict[str, list[str]]:
        try:
            found = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise JobError(
                f"{self.path} cannot be read: {error}", remedy="delete it; you are then asked again"
            ) from None
        if not isinstance(found, dict):
            return {}
        return {
            str(origin): [str(s) for s in sources] for origin, sources in found.items() if isinstance(sources, list)
        }

    def _write(self, known: dict[str, list[str]]) -> None:
        replace_file(self.path, json.dumps(known, indent=1, ensure_ascii=False).encode())
