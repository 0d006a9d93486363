"""One request to a server, in a thread of its own, so that it can be given up at any moment."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from napari_s1omni.endpoint.configuration import Endpoint
from napari_s1omni.endpoint.redaction import quoted, without_key
from napari_s1omni.endpoint.refusals import refusal
from napari_s1omni.errors import (
    EndpointError,
    EndpointRefused,
    EndpointTimeout,
    EndpointUnavailable,
    ReplyDamaged,
    RunInterrupted,
)

_LOOK = 0.05
"""Seconds after which a waiting caller looks whether it shall stop."""
_CONNECT = 10.0
"""Seconds to reach a server."""
_LARGEST = 64 << 20
"""Bytes of the largest line or error page that is read."""
_HOPS = 3
"""Redirects on the same host that are followed."""

Emit = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    method: str
    path: str
    """Below the endpoint's URL, with a leading slash."""
    body: bytes = b""


def run_in_thread(work: Callable[[Emit], Coroutine[Any, Any, None]], stopped: threading.Event | None) -> Iterator[Any]:
    """Run a coroutine in a thread of its own and yield what it emits, as soon as it does.

    The coroutine is cancelled, which closes its connection, when `stopped` is set, or when the caller leaves the loop.

    Raises
    ------
    RunInterrupted
        If `stopped` was set.
    """
    events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    loop = asyncio.new_event_loop()
    task = loop.create_task(work(lambda value: events.put(("value", value))))

    def run() -> None:
        try:
            loop.run_until_complete(task)
            events.put(("end", None))
        except asyncio.CancelledError:
            events.put(("end", None))
        except BaseException as error:
            events.put(("error", error))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = threading.Thread(target=run, name="s1omni-endpoint", daemon=True)
    thread.start()
    try:
        while True:
            if stopped is not None and stopped.is_set():
                raise RunInterrupted("the question was stopped", remedy="ask again")
            try:
                kind, value = events.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        if thread.is_alive():
            try:
                loop.call_soon_threadsafe(task.cancel)
            except RuntimeError:  # it ended in between
                pass
            thread.join(1.0)


class Connection:
    """Sends requests to one endpoint. Every failure is an error of this package without the key.

    Parameters
    ----------
    endpoint : Endpoint
    key : str
        Sent as a bearer token; empty sends none.
    """

    def __init__(self, endpoint: Endpoint, key: str) -> None:
        self._endpoint, self._key = endpoint, key
        self._verify: Any = httpx.create_ssl_context() if endpoint.url.startswith("https://") else False

    async def lines(self, request: Request, seconds: float, silence: float) -> AsyncIterator[tuple[str, str]]:
        """Yield (content type, line) of the answer while it comes.

        Parameters
        ----------
        request : Request
        seconds : float
            Longest time until the answer begins.
        silence : float
            Longest time between its pieces.

        Raises
        ------
        EndpointError
        """
        endpoint = self._endpoint
        limits = httpx.Timeout(seconds, connect=min(seconds, _CONNECT))
        begun = False
        # A proxy of the environment must not see what stays on this machine.
        options: dict[str, Any] = {"verify": self._verify, "trust_env": not endpoint.is_local, "timeout": limits}
        try:
            async with httpx.AsyncClient(follow_redirects=False, **options) as client:
                response = await self._send(client, request)
                try:
                    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                    begun, pieces = True, response.aiter_bytes().__aiter__()
                    async for line in _lines(pieces, silence):
                        yield kind, without_key(line, self._key)
                finally:
                    await response.aclose()
        except EndpointError:
            raise
        except (httpx.TimeoutException, TimeoutError):
            waited = f"{silence:g} s without a new piece" if begun else f"{seconds:g} s without an answer"
            raise self.too_slow(waited) from None
        except httpx.HTTPError as error:
            raise self._failure(error, begun) from None
        except (OSError, ValueError, UnicodeError) as error:
            raise self._failure(error, begun) from None

    def too_slow(self, waited: str) -> EndpointTimeout:
        """Return the error of a server that was waited for in vain.

        Parameters
        ----------
        waited : str
            How long, and for what.
        """
        endpoint = self._endpoint
        return EndpointTimeout(
            f"endpoint '{endpoint.name}' ({endpoint.origin}) is too slow: {waited}",
            remedy="ask again, look whether the server is busy, or give it more time (--seconds)",
            endpoint=endpoint.name,
        )

    async def _send(self, client: httpx.AsyncClient, request: Request) -> httpx.Response:
        url, headers = self._endpoint.url + request.path, {"accept": "text/event-stream, application/json"}
        if request.body:
            headers["content-type"] = "application/json"
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        for _ in range(_HOPS + 1):
            built = client.build_request(request.method, url, content=request.body or None, headers=headers)
            response = await client.send(built, stream=True)
            if response.is_success:
                return response
            body = await _limited(response)
            await response.aclose()
            if not response.has_redirect_location:
                lowered = {name.lower(): value for name, value in response.headers.items()}
                raise refusal(self._endpoint, self._key, response.status_code, lowered, body)
            url = self._followed(url, response.headers["location"])
        raise EndpointRefused(
            f"endpoint '{self._endpoint.name}' redirects in a circle", remedy="name the URL that it leads to"
        )

    def _followed(self, url: str, location: str) -> str:
        """Return where a redirect leads, if that is the same server: pictures and key go to nobody else."""
        target = urljoin(url, location)
        before, after = urlsplit(url), urlsplit(target)
        upgraded = (before.scheme, after.scheme) == ("http", "https")
        if after.hostname != before.hostname or not (upgraded or before[:2] == after[:2]):
            raise EndpointRefused(
                f"endpoint '{self._endpoint.name}' ({self._endpoint.origin}) redirects to "
                f"{quoted(f'{after.scheme}://{after.netloc}', self._key)}; nothing was sent there",
                "redirects on the same server",
                f"if you trust that server, name its URL: s1omni endpoints add {self._endpoint.name} URL --replace",
                endpoint=self._endpoint.name,
            )
        return target

    def _failure(self, error: Exception, begun: bool) -> EndpointError:
        endpoint = self._endpoint
        why = quoted(str(error) or type(error).__name__, self._key)
        if begun:
            return ReplyDamaged(
                f"the connection to endpoint '{endpoint.name}' broke within the reply ({why})",
                remedy="ask again",
                broken=True,
            )
        return EndpointUnavailable(
            f"endpoint '{endpoint.name}' ({endpoint.origin}) cannot be reached: {why}",
            "a server that is running and can be reached from this machine",
            f"start it, or correct the URL; 's1omni endpoints test {endpoint.name}' tries it",
            endpoint=endpoint.name,
        )


async def _lines(pieces: AsyncIterator[bytes], silence: float) -> AsyncIterator[str]:
    """Yield the lines of an answer as they are complete, the last one even without an end."""
    held = bytearray()
    while True:
        try:
            piece = await asyncio.wait_for(anext(pieces), silence)
        except StopAsyncIteration:
            break
        held += piece
        if b"\n" in piece:
            *complete, rest = bytes(held).split(b"\n")
            held = bytearray(rest)
            for line in complete:
                yield line.decode("utf-8", "replace").rstrip("\r")
        if len(held) > _LARGEST:
            raise ReplyDamaged(f"a line of the reply is longer than {_LARGEST >> 20} MB", "a chat completion")
    if held:
        yield held.decode("utf-8", "replace")


async def _limited(response: httpx.Response) -> bytes:
    """Return the beginning of an error page, at most 64 kB of it."""
    found = bytearray()
    async for piece in response.aiter_bytes():
        found += piece
        if len(found) >= 65536:
            break
    return bytes(found[:65536])
