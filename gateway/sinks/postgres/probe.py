"""What `gateway check --connect` asks PostgreSQL."""

from typing import Final

import psycopg
import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext
from gateway.sinks.postgres.connection import Connection, connect, describe
from gateway.sinks.postgres.settings import PostgresSettings
from gateway.sinks.tables import TABLES

_MISSING: Final = """
    SELECT name FROM unnest(%s::text[]) AS name
    WHERE to_regclass(format('%%I.%%I', %s::text, name)) IS NULL
"""
_MAY_CREATE: Final = """
    SELECT CASE WHEN to_regnamespace(%(schema)s) IS NULL
        THEN has_database_privilege(current_database(), 'CREATE')
        ELSE has_schema_privilege(%(schema)s, 'CREATE') END
"""


async def findings(settings: PostgresSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, log in and look for the tables; nothing is created or written."""
    try:
        return await trio.to_thread.run_sync(
            _look, settings, context.options.timeout, abandon_on_cancel=True
        )
    except psycopg.Error as error:
        detail = f"{_where(settings)}: {describe(error)}"
        return [ProbeFinding(what="connect", ok=False, detail=detail)]


def _look(settings: PostgresSettings, timeout_seconds: float) -> list[ProbeFinding]:
    with connect(settings, timeout_seconds) as connection:
        version = connection.info.parameter_status("server_version") or "of an unknown version"
        secured = "certificate verified" if settings.tls else "without TLS"
        detail = f"{_where(settings)}: PostgreSQL {version}, logged in, {secured}"
        return [
            ProbeFinding(what="connect", ok=True, detail=detail),
            _look_for_tables(connection, settings),
        ]


def _look_for_tables(connection: Connection, settings: PostgresSettings) -> ProbeFinding:
    names = [table.name for table in TABLES.values()]
    missing = [row[0] for row in connection.execute(_MISSING, (names, settings.schema))]
    if not missing:
        return ProbeFinding(what="tables", ok=True, detail="all there")
    listed = f"schema {settings.schema} lacks {', '.join(missing)}"
    if not settings.create_tables:
        detail = f"{listed} (`create_tables: true` makes them)"
        return ProbeFinding(what="tables", ok=False, detail=detail)
    [(allowed,)] = connection.execute(_MAY_CREATE, {"schema": settings.schema})
    then = "to be made" if allowed else "and the user may not create them"
    return ProbeFinding(what="tables", ok=bool(allowed), detail=f"{listed}, {then}")


def _where(settings: PostgresSettings) -> str:
    return f"{', '.join(settings.servers)}, database {settings.database}"
