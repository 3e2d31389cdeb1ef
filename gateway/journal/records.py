"""What the journal gives and takes, beside events: answers, positions, dead letters."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final
from zlib import crc32

import msgspec

from gateway.contracts.sink import Record
from gateway.events.codec import encode
from gateway.events.model import Event, Kind
from gateway.events.times import to_nanoseconds

BookChange = tuple[str, str, str, bytes | None]
"""Account, section, key and value of one thing to remember; None forgets it."""


class BlockReason(StrEnum):
    """Why the sources must pause."""

    DISK_FULL = "disk_full"
    SINK_BLOCKED = "sink_blocked"


class Committed(msgspec.Struct, frozen=True, gc=False):
    """What became of one `append`: on disk as safely as `durability` says."""

    seqs: tuple[int | None, ...]
    """One per event, in order; None where the journal already held the id."""


class SinkPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far a sink is, and what became of everything up to there.

    ``cursor - start_seq == delivered + filtered + dropped + dead_letters``, always.
    """

    name: str
    type: str
    start_seq: int
    """The cursor it began with; what was recorded later is what it has to answer for."""
    cursor: int
    """The last seq that is settled."""
    delivered: int = 0
    filtered: int = 0
    dropped: int = 0
    dead_letters: int = 0
    """Held now."""
    replayed: int = 0
    """Sent again by request; not part of the sum."""
    holds_retention: bool = True
    """What it still waits for is kept, up to the size limit."""
    overflow: str = "drop_oldest"


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An event that a sink refused for good, with its own copy of the event."""

    number: int | None = None
    """Given by the journal."""
    sink: str
    record: Record
    reason: str
    excerpt: str = ""
    attempts: int = 1
    first_try_ns: int
    last_try_ns: int


class JournalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The journal at a glance."""

    epoch: str
    """Changes when the numbering starts anew: a new or a restored journal."""
    first_seq: int
    last_seq: int
    bytes: int
    free_bytes: int
    blocked: bool
    blocked_reason: BlockReason | None
    queue_events: int


class Ledger(msgspec.Struct, frozen=True):
    """What the numbering stands on; moves in the same transaction as the records."""

    epoch: str
    first_seq: int
    """The oldest record kept, or `next_seq` when there is none."""
    next_seq: int


class Prepared(msgspec.Struct, frozen=True, gc=False):
    """An event on its way to the writer: encoded once, without a seq."""

    id: bytes
    event: Event
    received_ns: int
    tail: bytes
    raw: bytes | None

    @property
    def size(self) -> int:
        """Bytes of text."""
        return len(self.tail) + len(self.raw or b"")


_PACKER: Final = msgspec.msgpack.Encoder()

RECORD_COLUMNS: Final = "seq, id, kind, account, symbol, venue_symbol, received_ns, tail, raw"
Fields = tuple[int, bytes, str, str, str | None, str | None, int, bytes, bytes | None]
"""A record as it stands in the database, in the order of `RECORD_COLUMNS`."""


def prepare(events: Sequence[Event]) -> list[Prepared]:
    """Encode events, in the caller's task: what cannot be encoded is the caller's error."""
    prepared = []
    for event in events:
        encoded = encode(event)
        prepared.append(
            Prepared(
                bytes.fromhex(event.id),
                event,
                to_nanoseconds(event.received_time),
                encoded.tail,
                encoded.raw,
            )
        )
    return prepared


def to_record(seq: int, prepared: Prepared) -> Record:
    """The record that an event became."""
    event = prepared.event
    return Record(
        seq,
        event.id,
        event.kind,
        event.account,
        event.symbol,
        event.venue_symbol,
        prepared.received_ns,
        prepared.tail,
        prepared.raw,
    )


def to_fields(record: Record, event_id: bytes) -> Fields:
    """The record as columns."""
    return (
        record.seq,
        event_id,
        record.kind.value,
        record.account,
        record.symbol,
        record.venue_symbol,
        record.received_ns,
        record.tail,
        record.raw,
    )


def from_fields(fields: Fields) -> Record:
    """The record that stood in columns whose checksum was right."""
    seq, event_id, kind, *rest = fields
    return Record(seq, event_id.hex(), _KINDS[kind], *rest)  # type: ignore[arg-type]  # by position


def checksum(columns: Sequence[object]) -> int:
    """CRC-32 over the columns of a row, their types and their lengths.

    A disk's rot is not an adversary: 32 bits find it, at a fifth of the price of
    a digest.
    """
    return crc32(_PACKER.encode(columns))


_KINDS: Final = {kind.value: kind for kind in Kind}
