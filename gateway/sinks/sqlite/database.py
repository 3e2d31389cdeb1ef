"""The tables in the file, and events on their way into them. Blocks; called in a thread."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import apsw

from gateway.contracts.sink import Record
from gateway.events.model import Kind
from gateway.sinks.database_file import DatabaseFile
from gateway.sinks.tables import (
    SQLITE,
    TABLES,
    Table,
    Value,
    add_column,
    create_indexes,
    create_table,
    create_view,
    drop_view,
    insert_row,
    row_of,
)

_INSERTS: Final = {kind: insert_row(table) for kind, table in TABLES.items()}


class Database:
    """A file of typed tables."""

    def __init__(self, path: Path, *, include_raw: bool, busy_seconds: float) -> None:
        self._file = DatabaseFile(path, _prepare, busy_seconds=busy_seconds)
        self._include_raw = include_raw

    @property
    def path(self) -> Path:
        """Where it stands."""
        return self._file.path

    def add(self, records: Sequence[Record]) -> None:
        """Put the records on disk, all or none; those that are there already stay as they are."""
        rows: dict[Kind, list[tuple[Value, ...]]] = {}
        for record in records:
            row = row_of(record, include_raw=self._include_raw)
            rows.setdefault(record.kind, []).append(row)
        with self._file.transaction() as connection:
            for kind, values in rows.items():
                connection.executemany(_INSERTS[kind], values)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _prepare(connection: apsw.Connection) -> None:
    for table in TABLES.values():
        connection.execute(create_table(table, SQLITE))
        for statement in create_indexes(table):
            connection.execute(statement)
        _bring_up_to_date(connection, table)


def _bring_up_to_date(connection: apsw.Connection, table: Table) -> None:
    found = {name for _, name, *_ in connection.execute(f'PRAGMA table_info("{table.name}")')}
    missing = [column for column in table.columns if column.name not in found]
    for column in missing:
        connection.execute(add_column(table, column, SQLITE))
    if table.view is not None and (missing or not _has_view(connection, table.view)):
        connection.execute(drop_view(table))
        connection.execute(create_view(table))


def _has_view(connection: apsw.Connection, name: str) -> bool:
    query = "SELECT 1 FROM sqlite_schema WHERE type = 'view' AND name = ?"
    return connection.execute(query, (name,)).fetchone() is not None
