"""A record as the values of its row."""

from typing import Any, Final

import msgspec

from gateway.contracts.sink import Record
from gateway.events.model import Kind
from gateway.sinks.tables.columns import HEAD, TABLES

Value = str | int | bool | None

_DECODER: Final = msgspec.json.Decoder()


def row_of(record: Record, *, include_raw: bool) -> tuple[Value, ...]:
    """The row of an event, in the order of its table's columns.

    Numbers and times stay text with all their digits; a database that has types for
    them reads that text. A field that an older gateway did not journal yet is None.
    """
    return row_of_native(record.kind, record.native(include_raw=include_raw))


def row_of_native(kind: Kind, native: bytes) -> tuple[Value, ...]:
    """The same from an event's own JSON."""
    event: dict[str, Any] = _DECODER.decode(native)
    body: dict[str, Any] = event[kind.value]
    columns = TABLES[kind].columns
    head = [event[column.name] for column in HEAD]
    fields = [body.get(column.name) for column in columns[len(HEAD) : -1]]
    return (*head, *fields, event.get("raw"))
