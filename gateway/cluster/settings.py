"""Options of `cluster:` in `gateway.yaml`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from gateway.contracts.values import Seconds, Secret
from gateway.sinks.extras import missing_extra
from gateway.sinks.peers import Peer, parse_peer, peer_problems

DEFAULT_PORT: Final = 4222
_SCHEMES: Final = ("nats", "tls")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Gateways that share the accounts of one configuration."""

    engine: Literal["nats"]
    """What keeps the leases, the shared books and the shared log: NATS with JetStream."""
    url: str
    """`nats://HOST:PORT`, several hosts of one NATS cluster with commas between; `tls://` for
    TLS with a verified certificate."""
    name: str = "gateway"
    """The same for all gateways of this cluster; several clusters may share one engine."""
    username: str | None = None
    """For servers that ask for a user."""
    password: Secret | None = None
    """The user's password; without `username` a token."""
    credentials_file: Path | None = None
    """A `.creds` file (a user's JWT and seed), instead."""
    ca_file: Path | None = None
    """Trust the certificates in this PEM file, instead of those that the system trusts."""
    replicas: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    """How many gateways hold each account's connections. With 2 a second one listens beside
    the owner, so that the owner's death opens no gap."""
    copies: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    """On how many servers of the NATS cluster each note and event is kept: 3 survives one."""
    weight: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0
    """This gateway's share of the accounts, against the weights of the others."""

    hand_over: Seconds = Seconds(15)
    """How long a gateway that stops waits until others have taken its accounts, without a gap;
    together with `shutdown.drain` less than what the service manager allows."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        yield from (("engine", text) for _, text in missing_extra("nats", extra="nats"))
        scheme, separator, rest = self.url.partition("://")
        if not separator or scheme not in _SCHEMES:
            yield "url", "expected nats://HOST:PORT or tls://HOST:PORT"
        else:
            problems = peer_problems("url", rest.split(","), DEFAULT_PORT)
            yield from (("url", text) for _, text in problems)
        if not _NAME.fullmatch(self.name):
            yield "name", "1 to 40 of a-z 0-9 _ -, and starts with a-z or 0-9"
        if self.credentials_file is not None and (self.username or self.password):
            yield "credentials_file", "stands in place of `username` and `password`"
        elif self.username is not None and self.password is None:
            yield "password", "a user needs one"

    def peers(self) -> list[Peer]:
        """The servers."""
        return [parse_peer(one, DEFAULT_PORT) for one in urlsplit(self.url).netloc.split(",")]

    @property
    def tls(self) -> bool:
        """Whether to speak TLS."""
        return self.url.startswith("tls://")
