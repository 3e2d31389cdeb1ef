"""A record as the values of its row."""

from typing import Any, Final

import msgspec

from gateway.contracts.sink import Record
from gateway.sinks.tables.columns import HEAD, TABLES

Value = str | int | bool | None

_DECODER: Final = msgspec.json.Decoder()


def row_of(record: Record, *, include_raw: bool) -> tuple[Value, ...]:
    """The row of an event, in the order of its table's columns.

    Numbers and times stay text with all their digits; a database that has types for
    them reads that text. A field that an older gateway did not journal yet is None.
    """
    event: dict[str, Any] = _DECODER.decode(record.native(include_raw=include_raw))
    body: dict[str, Any] = event[record.kind.value]
    columns = TABLES[record.kind].columns
    head = [event[column.name] for column in HEAD]
    fields = [body.get(column.name) for column in columns[len(HEAD) : -1]]
    return (*head, *fields, event.get("raw"))
