"""Options of a `postgres` sink."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.contracts.values import Secret
from gateway.sinks.extras import missing_extra
from gateway.sinks.peers import peer_problems

CLIENT: Final = "psycopg"
EXTRA: Final = "postgres"
DEFAULT_PORT: Final = 5432

_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)


class PostgresSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `postgres` sink."""

    servers: tuple[str, ...]
    """`HOST:PORT`; of several the one that takes writes is used."""
    database: str
    """The database, which must exist."""
    username: str
    """The user, who needs no more than to insert (and to create, see `create_tables`)."""
    password: Secret | None = None
    """The user's password."""
    tls: bool = False
    """Speak TLS, and verify the server's certificate and name."""
    ca_file: Path | None = None
    """Trust the certificates in this PEM file, instead of those that the system trusts."""
    schema: str = "public"
    """The schema of the tables."""
    create_tables: bool = True
    """Create the schema, tables and views that are missing, and columns of newer versions."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        yield from missing_extra(CLIENT, extra=EXTRA)
        yield from peer_problems("servers", self.servers, DEFAULT_PORT)
        for key in ("database", "username"):
            if not getattr(self, key).strip():
                yield key, "must not be empty"
        if not _SCHEMA.fullmatch(self.schema):
            yield "schema", "1 to 63 of a-z, 0-9 and _, and no digit first"
