"""The database: its tables made or mended, events put in, culprits found.

Everything here but `cut` blocks and is called in a thread, one call at a time.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import psycopg
from psycopg import errors, sql

from gateway.contracts.sink import ACCEPTED, Record, Refused, Verdict
from gateway.events.model import Kind
from gateway.sinks.postgres.connection import Connection, connect, cut, describe, hang_up
from gateway.sinks.postgres.inserts import POSTGRES_TABLES, insert
from gateway.sinks.postgres.settings import PostgresSettings
from gateway.sinks.tables import (
    POSTGRES,
    Table,
    add_column,
    create_indexes,
    create_table,
    create_view,
    drop_view,
)

SETUP_LOCK: Final = 0x65656764
"""Of two gateways that start at once one makes the tables, the other waits: "eegd"."""
ABOUT_THE_ROW: Final = (psycopg.DataError, psycopg.IntegrityError, errors.ProgramLimitExceeded)
"""Errors that no repeat changes."""


class Database:
    """One database, connected to anew after any trouble."""

    def __init__(
        self, settings: PostgresSettings, *, include_raw: bool, timeout_seconds: float
    ) -> None:
        self._settings = settings
        self._include_raw = include_raw
        self._timeout_seconds = timeout_seconds
        self._connection: Connection | None = None

    def add(self, records: Sequence[Record]) -> list[Verdict]:
        """Insert all in one transaction, but for those that the tables refuse.

        What is there already stays as it is. Raises `psycopg.Error` when nothing was inserted;
        after a lost commit that is not known, and inserting again is harmless.
        """
        try:
            connection = self._open()
            try:
                with connection.transaction():
                    self._add_all(connection, records)
                return [ACCEPTED] * len(records)
            except ABOUT_THE_ROW as error:
                with connection.transaction():
                    return self._add_halves(connection, records, error)
        except psycopg.Error:
            self.close()
            raise

    def cut(self) -> None:
        """From another thread: end a call that hangs."""
        if self._connection is not None:
            cut(self._connection)

    def close(self) -> None:
        """Close the connection, if open; the next call connects again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            hang_up(connection)

    def _add_all(self, connection: Connection, records: Sequence[Record]) -> None:
        by_kind: dict[Kind, list[Record]] = defaultdict(list)
        for record in records:
            by_kind[record.kind].append(record)
        for kind, alike in by_kind.items():
            insert(connection, kind, alike, raw=self._include_raw)

    def _add_halves(
        self, connection: Connection, records: Sequence[Record], error: psycopg.Error
    ) -> list[Verdict]:
        """Insert what was refused together, by halves until each culprit stands alone."""
        if len(records) == 1:
            reason = "constraint" if isinstance(error, psycopg.IntegrityError) else "value"
            return [Refused(reason=reason, excerpt=describe(error))]
        middle = len(records) // 2
        first = self._add_some(connection, records[:middle])
        return [*first, *self._add_some(connection, records[middle:])]

    def _add_some(self, connection: Connection, records: Sequence[Record]) -> list[Verdict]:
        try:
            with connection.transaction():
                self._add_all(connection, records)
        except ABOUT_THE_ROW as error:
            return self._add_halves(connection, records, error)
        return [ACCEPTED] * len(records)

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = connect(self._settings, self._timeout_seconds)
            if self._settings.create_tables:
                with self._connection.transaction():
                    self._prepare(self._connection)
        return self._connection

    def _prepare(self, connection: Connection) -> None:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (SETUP_LOCK,))
        schema = self._settings.schema
        if not _exists(connection, "pg_namespace", "nspname", schema):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        found = _columns(connection, schema)
        for table in POSTGRES_TABLES.values():
            _prepare_table(connection, table, found.get(table.name))


def _prepare_table(connection: Connection, table: Table, found: set[str] | None) -> None:
    """Make what is missing, and touch nothing that is there: a user's index may be better."""
    missing = [column for column in table.columns if found is not None and column.name not in found]
    if found is not None and not missing:
        return
    connection.execute(create_table(table, POSTGRES).encode())
    for statement in create_indexes(table):
        connection.execute(statement.encode())
    for column in missing:
        connection.execute(add_column(table, column, POSTGRES).encode())
    if table.view is not None:
        connection.execute(drop_view(table).encode())
        connection.execute(create_view(table).encode())


def _exists(connection: Connection, catalogue: str, column: str, name: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(
        sql.Identifier(catalogue), sql.Identifier(column)
    )
    return connection.execute(query, (name,)).fetchone() is not None


def _columns(connection: Connection, schema: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s"
    for table, column in connection.execute(query, (schema,)):
        found[table].add(column)
    return found
