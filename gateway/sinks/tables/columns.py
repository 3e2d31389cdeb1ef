"""What each table holds: the head that all events share, then the fields of the kind."""

import types
import typing
from enum import Enum, auto
from typing import Final

import msgspec

from gateway.events.model import BODY_TYPES, Body, Kind
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp


class ColumnType(Enum):
    """A column's type, in our words; a dialect has its own."""

    TEXT = auto()
    DECIMAL = auto()
    """Exact, whatever the number of its digits."""
    INTEGER = auto()
    BOOLEAN = auto()
    TIME = auto()
    JSON = auto()


class Column(msgspec.Struct, frozen=True):
    """One column; it has the name of the field."""

    name: str
    type: ColumnType
    nullable: bool = True


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Where events of one kind go."""

    name: str
    kind: Kind
    columns: tuple[Column, ...]
    """In the order of a row."""
    subject: tuple[str, ...] | None
    """The columns that name what an event is about: its last state is a view. None for facts
    that are no states."""
    view: str | None = None
    """The name of that view."""
    looked_up_by: tuple[str, ...]
    """The columns of the table's index."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in the order of a row."""
        return tuple(column.name for column in self.columns)


HEAD: Final = (
    Column("id", ColumnType.TEXT, nullable=False),
    Column("seq", ColumnType.INTEGER, nullable=False),
    Column("account", ColumnType.TEXT, nullable=False),
    Column("venue", ColumnType.TEXT, nullable=False),
    Column("symbol", ColumnType.TEXT),
    Column("venue_symbol", ColumnType.TEXT),
    Column("origin", ColumnType.TEXT, nullable=False),
    Column("venue_time", ColumnType.TIME),
    Column("received_time", ColumnType.TIME, nullable=False),
)
"""What every event has, in the order of the event schema."""

RAW: Final = Column("raw", ColumnType.TEXT)
"""The venue's own text, where the sink says `include_raw: true`."""

_TYPES: Final = {
    PlainDecimal: ColumnType.DECIMAL,
    Timestamp: ColumnType.TIME,
    bool: ColumnType.BOOLEAN,
    int: ColumnType.INTEGER,
}


def _columns_of(body: type[Body]) -> tuple[Column, ...]:
    hints = typing.get_type_hints(body)
    # A field with a default may be missing from what an older gateway journalled.
    return tuple(
        Column(field.name, _type(hints[field.name]), nullable=not field.required)
        for field in msgspec.structs.fields(body)
    )


def _type(hint: object) -> ColumnType:
    parts = typing.get_args(hint) or (hint,)
    [bare] = [part for part in parts if part is not types.NoneType]
    # Enums are text: a new word of a later version must not need a new column type.
    return _TYPES.get(bare, ColumnType.TEXT)


def _table(name: str, kind: Kind, looked_up_by: tuple[str, ...], *, is_state: bool = True) -> Table:
    return Table(
        name=name,
        kind=kind,
        columns=(*HEAD, *_columns_of(BODY_TYPES[kind]), RAW),
        subject=looked_up_by if is_state else None,
        view=f"latest_{name}" if is_state else None,
        looked_up_by=looked_up_by,
    )


TABLES: Final = {
    table.kind: table
    for table in (
        _table("orders", Kind.ORDER, ("account", "order_id")),
        _table("fills", Kind.FILL, ("account", "order_id"), is_state=False),
        _table("balances", Kind.BALANCE, ("account", "asset")),
        _table("positions", Kind.POSITION, ("account", "venue_symbol")),
        _table("streams", Kind.STREAM, ("account", "status")),
        _table("unrecognized", Kind.UNRECOGNIZED, ("account",), is_state=False),
    )
}
"""The table of each kind."""
