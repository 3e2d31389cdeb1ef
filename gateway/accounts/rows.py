"""The book on disk: one row per order, asset, contract and piece of stream state.

Rows live in the journal's database and move in the same transaction as the events
that follow from them, so a restart derives nothing twice.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

from gateway.contracts.told import KnownOrder, Mark
from gateway.events.model import Balance, Position, StreamReason
from gateway.events.times import Timestamp

BookChange = tuple[str, str, str, bytes | None]
"""Account, section, key, value; None deletes the row."""

Rows = Mapping[tuple[str, str], bytes]
"""(section, key) → value, as the journal loads them."""

_T = TypeVar("_T")


class Section(StrEnum):
    """What a row is about."""

    ORDER = "order"
    BALANCE = "balance"
    POSITION = "position"
    MARK = "mark"
    """Fills derived for an order that no report has shown yet."""
    SYMBOL = "symbol"
    """A symbol seen lately, with the time."""
    UNRECOGNIZED = "unrecognized"
    """How often a text was sent, by its digest."""
    OWNERSHIP = "ownership"
    """In a cluster: each epoch in which this gateway owned the account, with its first seq."""
    STREAM = "stream"
    """Counter, open gap, last proof of life: see `StreamKey`."""


class StreamKey(StrEnum):
    """Keys of the section `stream`."""

    COUNTER = "counter"
    """Number of `stream` events so far; part of their ids."""
    GAP = "gap"
    LIFE = "life"
    """Epoch ns of the last proof of life."""
    AGREED = "agreed"
    """Epoch ns of the last reading of REST after which nothing was in doubt."""
    BEGUN = "begun"
    """The first snapshot was read; from now on a start closes a gap."""
    GENERATION = "generation"
    """How often the counts of unrecognized texts were cleared."""


class KnownBalance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Last known balance of an asset."""

    body: Balance
    event_id: str
    venue_time: Timestamp | None
    """Newest time that the venue told; a reading without a time keeps it."""
    received_ns: int
    superseded: tuple[str, ...] = ()
    """Ids of the states of that same time that another one has replaced, newest last."""
    was_read: bool = False
    """REST told it with that time, asked at `received_ns`."""


class KnownPosition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Last known position of a contract."""

    body: Position
    symbol: str | None
    event_id: str
    venue_time: Timestamp | None
    """As in `KnownBalance`."""
    received_ns: int
    superseded: tuple[str, ...] = ()
    """As in `KnownBalance`."""
    was_read: bool = False
    """As in `KnownBalance`."""


class Gap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A stretch of time in which pushes may have been missed."""

    since_ns: int
    reason: StreamReason
    until_ns: int | None = None
    """When a stream was live again; None while none is."""
    given_up: bool = False
    """It was closed with `complete: false` and is still being read."""


_ENCODER: Final = msgspec.msgpack.Encoder()
_TYPES: Final[dict[Section, type[Any]]] = {
    Section.ORDER: KnownOrder,
    Section.BALANCE: KnownBalance,
    Section.POSITION: KnownPosition,
    Section.MARK: Mark,
    Section.SYMBOL: int,
    Section.UNRECOGNIZED: int,
    Section.OWNERSHIP: int,
}
_DECODERS: Final = {
    section: msgspec.msgpack.Decoder(row_type) for section, row_type in _TYPES.items()
}


def change(account: str, section: Section, key: str, value: Any) -> BookChange:
    """A row to be written, or with None to be deleted."""
    return (account, section, key, None if value is None else _ENCODER.encode(value))


def load_section(rows: Rows, section: Section) -> dict[str, Any]:
    """Every row of one section, decoded."""
    return dict(read_section(rows, section))


def read_section(rows: Rows, section: Section) -> Iterator[tuple[str, Any]]:
    """The rows of one section by key, decoded one by one: there may be many."""
    decode = _DECODERS[section].decode
    return ((key, decode(value)) for (name, key), value in rows.items() if name == section)


def load_stream(rows: Rows, key: StreamKey, row_type: type[_T]) -> _T | None:
    """One row of the section `stream`."""
    value = rows.get((Section.STREAM.value, key.value))
    return None if value is None else msgspec.msgpack.decode(value, type=row_type)
