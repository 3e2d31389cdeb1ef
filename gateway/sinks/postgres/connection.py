"""One connection to PostgreSQL: made so that nothing can hang on it, and cut from outside.

Everything here but `cut` blocks and is called in a thread.
"""

import os
import socket
from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg import errors

from gateway.sinks.peers import connect_seconds, parse_peer
from gateway.sinks.postgres.settings import DEFAULT_PORT, PostgresSettings

STATEMENT_SHARE: Final = 0.8
"""Share of the time limit after which the server gives up by itself, on a lock for example."""
SHORTEST_CONNECT_SECONDS: Final = 2
"""libpq takes whole seconds, and no fewer."""
TEXT_CHARACTERS: Final = 300
"""As much of an error as a person needs."""

Connection = psycopg.Connection[tuple[Any, ...]]


def connect(settings: PostgresSettings, timeout_seconds: float) -> Connection:
    """Connect and log in to the server that takes writes. Raises `psycopg.Error`."""
    peers = [parse_peer(server, DEFAULT_PORT) for server in settings.servers]
    statement_ms = max(1, int(STATEMENT_SHARE * timeout_seconds * 1000))
    return psycopg.connect(
        host=",".join(peer.host for peer in peers),
        port=",".join(str(peer.port) for peer in peers),
        dbname=settings.database,
        user=settings.username,
        password=None if settings.password is None else settings.password.read(),
        **_trust(settings),
        target_session_attrs="read-write",
        client_encoding="UTF8",
        application_name="exchange-event-gateway",
        connect_timeout=max(
            SHORTEST_CONNECT_SECONDS, int(connect_seconds(timeout_seconds, settings.servers))
        ),
        tcp_user_timeout=int(timeout_seconds * 1000),
        keepalives_idle=max(1, int(timeout_seconds)),
        options=f"-c statement_timeout={statement_ms} -c search_path={settings.schema}",
        # A pooler hands each transaction another session, which knows no statement of ours.
        prepare_threshold=None,
    )


def _trust(settings: PostgresSettings) -> dict[str, Any]:
    if not settings.tls:
        return {"sslmode": "disable"}
    return {"sslmode": "verify-full", "sslrootcert": str(settings.ca_file or "system")}


def cut(connection: Connection) -> None:
    """End the connection under a thread that waits on it.

    A server that is paused acknowledges every packet and answers none, and no time-out of
    libpq's sees that.
    """
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as own:
        own.shutdown(socket.SHUT_RDWR)


def hang_up(connection: Connection) -> None:
    """Close it, in whatever state it is."""
    with suppress(psycopg.Error):
        connection.close()


def describe(error: psycopg.Error) -> str:
    """What an error says, and where it is known what to do about it."""
    text = said_by(error)
    return text + _remedy(error, text)


def said_by(error: psycopg.Error) -> str:
    """What an error says, on one line."""
    text = " ".join((error.diag.message_primary or str(error) or type(error).__name__).split())
    return text[:TEXT_CHARACTERS]


def _remedy(error: psycopg.Error, text: str) -> str:
    match error:
        case errors.UndefinedTable() | errors.UndefinedColumn() | errors.InvalidSchemaName():
            return " (`create_tables: true` makes what is missing)"
        case errors.InsufficientPrivilege():
            return " (the user needs INSERT, and CREATE on the schema with `create_tables: true`)"
        case _ if "authentication failed" in text:
            return " (look at `username` and `password`)"
        case _:
            return ""
