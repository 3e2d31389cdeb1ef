"""Options of a `redis` sink."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gateway.contracts.values import Seconds, Secret
from gateway.sinks.extras import missing_extra
from gateway.sinks.patterns import pattern_problems
from gateway.sinks.peers import peer_problems

CLIENT: Final = "coredis"
EXTRA: Final = "redis"
DEFAULT_PORTS: Final = {"single": 6379, "cluster": 6379, "sentinel": 26379}


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `redis` sink."""

    servers: tuple[str, ...]
    """`HOST:PORT`: one server, or some nodes of a cluster, or the sentinels."""
    topology: Literal["single", "cluster", "sentinel"] = "single"
    """What `servers` are."""
    service: str | None = None
    """The name under which the sentinels know the primary."""
    database: Annotated[int, msgspec.Meta(ge=0)] = 0
    """The number of the database; a cluster has only 0."""
    username: str | None = None
    """For servers with access lists; by default the server's `default` user."""
    password: Secret | None = None
    """The user's password."""
    tls: bool = False
    """Speak TLS, and verify the server's certificate."""
    ca_file: Path | None = None
    """Trust the certificates in this PEM file, instead of those that the system trusts."""
    stream: str = "events:{account}:{kind}"
    """The stream's key; `{account}`, `{kind}` and `{symbol}` are filled in."""
    max_length: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Trim each stream to about so many entries; by default it only grows."""
    max_age: Annotated[Seconds, msgspec.Meta(gt=0)] | None = None
    """Trim entries that are about this old, instead."""
    publish: str | None = None
    """A channel (a pattern like `stream`) to which each event is published as well."""
    latest: str | None = None
    """The key of a hash (a pattern like `stream`) that holds the last state of each open order,
    balance and position."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        yield from missing_extra(CLIENT, extra=EXTRA)
        yield from peer_problems("servers", self.servers, DEFAULT_PORTS[self.topology])
        for key in ("stream", "publish", "latest"):
            yield from pattern_problems(key, getattr(self, key))
        if self.max_length is not None and self.max_age is not None:
            yield "max_age", "trim by `max_length` or by `max_age`, not by both"
        yield from self._topology_problems()

    def _topology_problems(self) -> Iterator[tuple[str, str]]:
        if self.topology == "single" and len(self.servers) > 1:
            yield "servers", "several servers need `topology: cluster` or `topology: sentinel`"
        if self.topology == "cluster" and self.database:
            yield "database", "a cluster has only database 0"
        if (self.topology == "sentinel") != (self.service is not None):
            yield "service", "the sentinels' name of the primary: with `topology: sentinel` only"
