"""Servers that a sink speaks to: ``host:port`` in a configuration, and whom to trust."""

import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import truststore

from gateway.errors import SinkUnavailable

CONNECT_SHARE: Final = 0.8
"""Share of the time limit of a delivery in which all servers may be tried."""

_NOTATION: Final = "write HOST:PORT"


class Peer(msgspec.Struct, frozen=True):
    """One server."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_peer(text: str, default_port: int) -> Peer:
    """Read ``host``, ``host:port`` or ``[::1]:port``. Raises `ValueError`."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(_NOTATION) from None
    if not host or parts.netloc != text or "@" in text or any(one.isspace() for one in text):
        raise ValueError(_NOTATION)
    return Peer(host, port or default_port)


def peer_problems(key: str, servers: Sequence[str], default_port: int) -> Iterator[tuple[str, str]]:
    """What is wrong with a list of servers."""
    if not servers:
        yield key, "name at least one server"
    for index, server in enumerate(servers):
        try:
            parse_peer(server, default_port)
        except ValueError as error:
            yield f"{key}[{index}]", str(error)


def connect_seconds(timeout_seconds: float, servers: Sequence[str]) -> float:
    """How long to wait for each of several servers, so that a silent one leaves time for all."""
    return CONNECT_SHARE * timeout_seconds / len(servers)


def rotated(servers: Sequence[str], attempt: int) -> list[str]:
    """The servers, with another first in each attempt.

    One that is there and silent takes all the time there is: nothing would come behind it.
    """
    first = attempt % len(servers)
    return [*servers[first:], *servers[:first]]


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Trust what the system trusts, or only the certificates in `ca_file`."""
    if ca_file is None:
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        raise SinkUnavailable(f"ca_file: {ca_file} holds no certificates in PEM form") from None
    except OSError as error:
        raise SinkUnavailable(f"ca_file: {ca_file}: {error.strerror}") from None
