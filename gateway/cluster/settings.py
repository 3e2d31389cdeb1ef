"""Options of `cluster:` in `gateway.yaml`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gateway.contracts.values import Seconds, Secret
from gateway.sinks.extras import missing_extra
from gateway.sinks.peers import Peer, parse_peer, peer_problems

DEFAULT_PORTS: Final = {"nats": 4222, "postgres": 5432}
_CLIENTS: Final = {"nats": "nats", "postgres": "psycopg"}
_NATS_URL: Final = re.compile(r"(?:nats|tls)://(?P<servers>[^/?#]*)")
_POSTGRES_URL: Final = re.compile(
    r"postgres(?:ql)?://(?P<servers>[^/?#]*)/(?P<database>[^/?#%\s]+)"
    r"(?:\?sslmode=(?P<tls>disable|verify-full))?"
)
_URLS: Final = {"nats": _NATS_URL, "postgres": _POSTGRES_URL}
_NOTATIONS: Final = {
    "nats": "nats://HOST:PORT or tls://HOST:PORT",
    "postgres": "postgresql://HOST:PORT/DATABASE, with ?sslmode=verify-full for TLS",
}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Gateways that share the accounts of one configuration."""

    engine: Literal["nats", "postgres"]
    """What keeps the leases, the shared books and the shared log: NATS with JetStream, or
    tables in PostgreSQL."""
    url: str
    """`nats://HOST:PORT`, several hosts of one NATS cluster with commas between; `tls://` for
    TLS with a verified certificate. `postgresql://HOST:PORT/DATABASE`; of several hosts the one
    that takes writes is used; `?sslmode=verify-full` for TLS."""
    name: str = "gateway"
    """The same for all gateways of this cluster; several clusters may share one engine.
    In PostgreSQL the schema of the tables."""
    username: str | None = None
    """For servers that ask for a user."""
    password: Secret | None = None
    """The user's password; without `username` a token."""
    credentials_file: Path | None = None
    """A `.creds` file (a user's JWT and seed), instead; NATS only."""
    ca_file: Path | None = None
    """Trust the certificates in this PEM file, instead of those that the system trusts."""
    replicas: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    """How many gateways hold each account's connections. With 2 a second one listens beside
    the owner, so that the owner's death opens no gap."""
    copies: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    """On how many servers of the NATS cluster each note and event is kept: 3 survives one.
    PostgreSQL has its own replication."""
    weight: Annotated[float, msgspec.Meta(gt=0, le=1000)] = 1.0
    """This gateway's share of the accounts, against the weights of the others."""

    hand_over: Seconds = Seconds(15)
    """How long a gateway that stops waits until others have taken its accounts, without a gap;
    together with `shutdown.drain` less than what the service manager allows."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        client = missing_extra(_CLIENTS[self.engine], extra=self.engine)
        yield from (("engine", text) for _, text in client)
        if self._parts is None:
            yield "url", f"expected {_NOTATIONS[self.engine]}"
        else:
            servers = self._parts["servers"].split(",")
            problems = peer_problems("url", servers, DEFAULT_PORTS[self.engine])
            yield from (("url", text) for _, text in problems)
        if not _NAME.fullmatch(self.name):
            yield "name", "1 to 40 of a-z 0-9 _ -, and starts with a-z or 0-9"
        of_engine = self._problems_of_nats if self.engine == "nats" else self._problems_of_postgres
        yield from of_engine()

    def _problems_of_nats(self) -> Iterator[tuple[str, str]]:
        if self.credentials_file is not None and (self.username or self.password):
            yield "credentials_file", "stands in place of `username` and `password`"
        elif self.username is not None and self.password is None:
            yield "password", "a user needs one"

    def _problems_of_postgres(self) -> Iterator[tuple[str, str]]:
        if self.name.startswith("pg_"):
            yield "name", "PostgreSQL keeps names with pg_ to itself"
        if not self.username:
            yield "username", "PostgreSQL asks for one"
        if self.credentials_file is not None:
            yield "credentials_file", "is for NATS; PostgreSQL knows `username` and `password`"
        if self.copies != 1:
            yield "copies", "is for NATS; PostgreSQL's own replication makes copies"

    def peers(self) -> list[Peer]:
        """The servers."""
        assert self._parts is not None
        port = DEFAULT_PORTS[self.engine]
        return [parse_peer(one, port) for one in self._parts["servers"].split(",")]

    @property
    def tls(self) -> bool:
        """Whether to speak TLS."""
        return self.url.startswith("tls://") or self.url.endswith("?sslmode=verify-full")

    @property
    def database(self) -> str:
        """The database, of PostgreSQL."""
        assert self._parts is not None
        return self._parts["database"]

    @property
    def _parts(self) -> re.Match[str] | None:
        return _URLS[self.engine].fullmatch(self.url)
