"""Events on their way into the tables: many at a time, as one JSON array.

The server takes the columns out of the events by itself. A statement a row would cost it
three times as much, and this process eight times: most of that is reading values that the
server reads again.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gateway.contracts.sink import Record
from gateway.events.model import Kind
from gateway.sinks.postgres.connection import Connection
from gateway.sinks.tables import HEAD, POSTGRES, RAW, TABLES, Column, ColumnType, Table

EVENT: Final = Column("event", ColumnType.JSON)
"""The whole event as in every other sink, beside its columns."""
POSTGRES_TABLES: Final = {
    kind: msgspec.structs.replace(table, columns=(*table.columns, EVENT))
    for kind, table in TABLES.items()
}
STATEMENT_BYTES: Final = 8 << 20
"""About as much JSON goes into one statement; a `jsonb` array ends at 256 MB."""
NUL: Final = "\N{SYMBOL FOR NULL}"
"""Written for U+0000, which PostgreSQL cannot hold."""

_ESCAPED_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def insert(connection: Connection, kind: Kind, records: Sequence[Record], *, raw: bool) -> None:
    """Insert records of one kind; those that are there already stay as they are."""
    for array in _arrays(records, raw=raw):
        connection.execute(_INSERTS[kind], (array,))


def _arrays(records: Sequence[Record], *, raw: bool) -> Iterator[str]:
    events: list[bytes] = []
    size = 0
    for record in records:
        events.append(record.native(include_raw=raw))
        size += len(events[-1])
        if size >= STATEMENT_BYTES:
            yield _array(events)
            events, size = [], 0
    if events:
        yield _array(events)


def _array(events: Sequence[bytes]) -> str:
    return text_of(b"[%b]" % b",".join(events))


def text_of(json: bytes) -> str:
    """JSON as PostgreSQL can hold it."""
    if b"\\u0000" in json:
        return _ESCAPED_NUL.sub(rf"\1{NUL}", json.decode())
    return json.decode()


def _statement(table: Table) -> bytes:
    names = ", ".join(f'"{name}"' for name in table.names)
    values = ", ".join(_value(table, column) for column in table.columns)
    return (
        f'INSERT INTO "{table.name}" ({names})'  # noqa: S608 (names of the event model)
        f" SELECT {values} FROM jsonb_array_elements(%s::jsonb) AS told(event)"
        ' ON CONFLICT ("id") DO NOTHING'
    ).encode()


def _value(table: Table, column: Column) -> str:
    """What stands in a column; a field that an older gateway did not journal yet is null."""
    if column is EVENT:
        return f"event - '{RAW.name}'"
    within = "event" if column in (*HEAD, RAW) else f"event->'{table.kind.value}'"
    return f"({within}->>'{column.name}')::{POSTGRES.types[column.type]}"


_INSERTS: Final = {kind: _statement(table) for kind, table in POSTGRES_TABLES.items()}
