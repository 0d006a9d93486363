"""Which endpoints a person has: names, URLs, models. Keys are named by a variable and never stored."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import Field, field_validator

from napari_s1omni.core.document import Document, did_you_mean, read_yaml
from napari_s1omni.errors import EndpointUnavailable, JobError
from napari_s1omni.settings import config_folder
from napari_s1omni.system.files import replace_file

FILE = "endpoints.yaml"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_RESERVED = ("reference",)
"""Names that mean something else wherever an endpoint is named."""


class Endpoint(Document):
    """A server of a chat model."""

    name: str
    """Name by which it is chosen."""

    url: str
    """Base URL with its version, such as ``http://localhost:9200/v1``."""

    model: str = ""
    """Model to ask for, as the server calls it; empty takes the first that it lists."""

    dialect: Literal["hermes", "native"] = "hermes"
    """How calls of tools are written: in the text (``hermes``, works with every server), or by the server's own parser
    (``native``)."""

    key_env: str = ""
    """Name of the environment variable that holds the key; empty if the server needs none."""

    max_tokens: int = Field(16384, ge=1)
    """Largest number of tokens of a reply, reasoning included."""

    temperature: float | None = Field(None, ge=0, le=2)
    """Temperature of a reply; None is the server's own."""

    top_p: float | None = Field(None, gt=0, le=1)
    """Probability mass to sample from; None is the server's own."""

    seconds: float = Field(600.0, gt=0)
    """Longest time for one reply, in seconds."""

    silence: float = Field(120.0, gt=0)
    """Longest time without a new piece once a reply has begun, in seconds."""

    keep_thinking: bool = False
    """Whether earlier reasoning is sent back. The templates of Qwen models leave it out."""

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("a name has letters, digits, dots, dashes and underscores, at most 64")
        if value in _RESERVED:
            raise ValueError(f"'{value}' is the name of an asker that needs no server")
        return value

    @field_validator("key_env")
    @classmethod
    def _names_a_variable(cls, value: str) -> str:
        # Whoever gives the key itself must not see it again in a message.
        if value and (not _VARIABLE.fullmatch(value) or value.startswith(("sk_", "sk-", "hf_"))):
            raise ValueError("give the name of an environment variable, such as MY_LAB_KEY, never the key itself")
        return value

    @field_validator("url")
    @classmethod
    def _plain_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value.strip())
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError("this is no URL") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError("a URL begins with http:// or https:// and names a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("a URL holds no user, password or query; name the variable of the key by key_env")
        return value.strip().rstrip("/").removesuffix("/chat/completions")

    @property
    def host(self) -> str:
        """Host of the URL, without its port."""
        return urlsplit(self.url).hostname or ""

    @property
    def origin(self) -> str:
        """Scheme, host and port: whom pictures are sent to."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.lower()}"

    @property
    def is_local(self) -> bool:
        """Whether the server is this machine, so that nothing leaves it."""
        return is_loopback(self.host)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before using it, as sentences."""
        if self.is_local or self.url.startswith("https://"):
            return ()
        return (
            f"{self.url} is not encrypted: everybody between this machine and {self.host} can read pictures, questions "
            "and the key. Use https://, or a tunnel to localhost.",
        )

    @classmethod
    def at(cls, url: str, **fields: object) -> Self:
        """Return an endpoint that is used once and not stored."""
        return cls.read({"name": "unnamed", "url": url, **fields}, "endpoint")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, by its name alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def endpoints() -> dict[str, Endpoint]:
    """Return the configured endpoints by name, in the order in which they were added.

    Raises
    ------
    JobError
        If the file cannot be read or holds something else.
    """
    path = config_folder() / FILE
    if not path.exists():
        return {}
    listed = read_yaml(path, "list of endpoints")
    rows = listed.get("endpoints", []) if isinstance(listed, dict) else None
    if not isinstance(rows, list):
        raise JobError(f"{path} is no list of endpoints", "a key 'endpoints' with a list", "correct or delete it")
    found = [Endpoint.read(row, f"endpoint {i + 1} of {path}") for i, row in enumerate(rows)]
    return {endpoint.name: endpoint for endpoint in found}


def endpoint(name: str) -> Endpoint:
    """Return one endpoint: by its name, or by its URL.

    Raises
    ------
    EndpointUnavailable
        If there is none of this name.
    """
    if name.startswith(("http://", "https://")):
        return Endpoint.at(name)
    known = endpoints()
    if name in known:
        return known[name]
    raise EndpointUnavailable(
        f"there is no endpoint '{name}'" + did_you_mean(name, list(known)),
        f"configured are {', '.join(known)}" if known else "none is configured",
        f"add one with 's1omni endpoints add {name} http://localhost:9200/v1'",
        name=name,
    )


def add_endpoint(added: Endpoint, *, replace: bool = False) -> None:
    """Store an endpoint in the user's list.

    Raises
    ------
    JobError
        If one of this name exists and `replace` is not set.
    """
    known = endpoints()
    if added.name in known and not replace:
        raise JobError(
            f"there is an endpoint '{added.name}' already, at {known[added.name].url}",
            remedy=f"replace it with --replace, or remove it with 's1omni endpoints remove {added.name}'",
        )
    _store({**known, added.name: added})


def remove_endpoint(name: str) -> None:
    """Remove an endpoint from the user's list.

    Raises
    ------
    EndpointUnavailable
        If there is none of this name.
    """
    removed = endpoint(name).name
    _store({key: value for key, value in endpoints().items() if key != removed})


def _store(known: dict[str, Endpoint]) -> None:
    rows = [entry.model_dump(exclude_defaults=True) for entry in known.values()]
    text = yaml.safe_dump({"endpoints": rows}, sort_keys=False, allow_unicode=True)
    replace_file(config_folder() / FILE, text.encode())
