"""The tables of a cluster, in a schema of the cluster's name: made where they are missing."""

from typing import Final

from psycopg import errors, sql

from gateway.cluster.board import BoardUnavailable
from gateway.sinks.postgres.connection import Connection

VERSION: Final = 1
"""Of the tables; grows with what older gateways could not use."""

SETUP_LOCK: Final = 0x65656763
"""Of gateways that start at once one makes the tables, the others wait: "eegc"."""

_STATEMENTS: Final = (
    "CREATE TABLE cluster_schema (version integer NOT NULL)",
    """CREATE TABLE cluster_members (
        name text PRIMARY KEY,
        value bytea NOT NULL,
        said_at timestamptz NOT NULL
    )""",
    """CREATE TABLE cluster_notes (
        key text PRIMARY KEY,
        topic text NOT NULL,
        revision bigint NOT NULL,
        value bytea NOT NULL
    )""",
    "CREATE INDEX cluster_notes_by_revision ON cluster_notes (topic, revision)",
    "CREATE TABLE cluster_revisions (topic text PRIMARY KEY, newest bigint NOT NULL)",
    """CREATE TABLE cluster_log (
        account text NOT NULL,
        position bigint NOT NULL,
        epoch bigint NOT NULL,
        seq bigint NOT NULL,
        late_for bigint,
        id text NOT NULL UNIQUE,
        kind text NOT NULL,
        received_time timestamptz NOT NULL,
        told_time timestamptz NOT NULL DEFAULT clock_timestamp(),
        event json NOT NULL,
        PRIMARY KEY (account, position)
    )""",
    "CREATE INDEX cluster_log_by_told_time ON cluster_log (told_time)",
    """CREATE TABLE cluster_heads (
        account text PRIMARY KEY,
        position bigint NOT NULL,
        epoch bigint NOT NULL
    )""",
    """CREATE TABLE cluster_fences (
        account text NOT NULL,
        epoch bigint NOT NULL,
        begins_ns bigint NOT NULL,
        PRIMARY KEY (account, epoch)
    )""",
)


def see_to_tables(connection: Connection, schema: str) -> None:
    """Make what is missing.

    Raises `psycopg.Error`, and `BoardUnavailable` for tables of a newer gateway.
    """
    version = _version(connection)
    if version is None:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (SETUP_LOCK,))
            version = _version(connection)
            if version is None:
                _make(connection, schema)
                version = VERSION
    if version > VERSION:
        raise BoardUnavailable(
            f"the tables in schema {schema} are of version {version}, and this gateway knows"
            f" {VERSION}: upgrade it"
        )


def _version(connection: Connection) -> int | None:
    try:
        with connection.transaction():
            row = connection.execute("SELECT version FROM cluster_schema").fetchone()
    except errors.UndefinedTable:
        return None
    assert row is not None
    return int(row[0])


def _make(connection: Connection, schema: str) -> None:
    query = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
    if connection.execute(query, (schema,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    for statement in _STATEMENTS:
        connection.execute(statement.encode())
    connection.execute("INSERT INTO cluster_schema VALUES (%s)", (VERSION,))
