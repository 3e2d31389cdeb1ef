"""Where a URL points, without the parts of it that may be secret.

An error message may show `str(address)`; it must never show the URL, whose
query can hold a stream key or a signature.
"""

import string
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec

from gateway.errors import ConnectFailed

_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}
_HTTP_SAFE: Final = frozenset(string.ascii_letters + string.digits + string.punctuation)
"""What may stand in a request line (RFC 9112); a space would end it early."""


class Address(msgspec.Struct, frozen=True):
    """The server that a WebSocket URL names."""

    host: str
    port: int
    secure: bool
    resource: str
    """Path and query, as sent in the request line. May hold secrets."""

    @property
    def host_header(self) -> str:
        """The value of HTTP's ``Host``: the port only where it is not the default."""
        default = 443 if self.secure else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def parse_websocket_url(url: str) -> Address:
    """Read a ``ws://`` or ``wss://`` URL. Raises `ConnectFailed` that does not show it."""
    parts = _split(url)
    if parts.scheme not in _DEFAULT_PORTS:
        raise ConnectFailed("address", "a WebSocket URL starts with ws:// or wss://")
    if not parts.hostname:
        raise ConnectFailed("address", "the URL names no host")
    if parts.username is not None:
        raise ConnectFailed("address", "a user name in the URL is not supported")
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _HTTP_SAFE.issuperset(resource):
        raise ConnectFailed("address", "the URL holds characters that must be percent-encoded")
    return Address(
        host=parts.hostname,
        port=parts.port or _DEFAULT_PORTS[parts.scheme],
        secure=parts.scheme == "wss",
        resource=resource,
    )


def url_problem(url: str, *schemes: str) -> str | None:
    """What is wrong with a configured URL, in words that do not show it; None when it is sound."""
    try:
        parts = _split(url)
    except ConnectFailed as error:
        return error.detail
    if parts.scheme not in schemes or not parts.hostname:
        starts = " or ".join(f"{scheme}://" for scheme in schemes)
        return f"must be an address that starts with {starts}"
    if parts.username is not None:
        return "a user name in the URL is not supported"
    if not _HTTP_SAFE.issuperset(url):
        return "holds characters that must be percent-encoded"
    return None


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # reading it is what checks it
    except ValueError:
        raise ConnectFailed("address", "not a URL: look at the host and the port") from None
    return parts
