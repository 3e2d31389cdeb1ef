# ruff: noqa: S608 - the statements are put together from this module's own constants
"""The `sinks` and `dead_letters` tables: where each sink is and what it refused.

Plain functions over a connection, called by the writer inside its transaction
and by readers. Functions that write check first and then write, so that one
that refuses leaves the group's transaction clean.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal, cast

import apsw
import msgspec

from gateway.errors import JournalDamaged, JournalError
from gateway.journal.records import (
    RECORD_COLUMNS,
    DeadLetter,
    Fields,
    SinkPosition,
    checksum,
    from_fields,
    to_fields,
)

Outcome = Literal["delivered", "dropped"]
Counts = dict[str, int]
"""How many, by sink."""

_COLUMNS: Final = SinkPosition.__struct_fields__
_UPSERT: Final = (
    f"INSERT OR REPLACE INTO sinks ({', '.join(_COLUMNS)}, checksum)"
    f" VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"
)
_LETTER_COLUMNS: Final = (
    f"sink, reason, excerpt, attempts, first_try_ns, last_try_ns, {RECORD_COLUMNS}"
)
_LETTER_WORDS: Final = 6
"""Columns that stand before the record's own."""


def positions(connection: apsw.Connection) -> list[SinkPosition]:
    """Every sink the journal knows, by name."""
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)}, checksum FROM sinks ORDER BY name")
    return [_to_position(row) for row in rows.fetchall()]


def find(connection: apsw.Connection, name: str) -> SinkPosition | None:
    """One sink's position, or None when the journal has not met it.

    Looks at all of them: one whose name has rotted must not pass for a new one.
    """
    return next((each for each in positions(connection) if each.name == name), None)


def require(connection: apsw.Connection, name: str) -> SinkPosition:
    """One sink's position; an error when the journal has not met it."""
    position = find(connection, name)
    if position is None:
        raise JournalError(f"the journal knows no sink {name!r}")
    return position


def save(connection: apsw.Connection, position: SinkPosition) -> SinkPosition:
    """Write a position, and give it back."""
    # SQLite has no truth values: what is checked is what will be read.
    columns = tuple(
        int(value) if isinstance(value, bool) else value
        for value in msgspec.structs.astuple(position)
    )
    connection.execute(_UPSERT, (*columns, checksum(columns)))
    return position


def advanced(
    position: SinkPosition, to_seq: int, delivered: int, filtered: int, dropped: int, dead: int
) -> SinkPosition:
    """The position after a batch that ends at `to_seq`.

    Retention may have given up a part of the batch while it was under way; those
    events count by what really became of them, no longer as dropped.
    """
    taken_back = min(position.cursor, to_seq) - (to_seq - delivered - filtered - dropped - dead)
    if not 0 <= taken_back <= position.dropped:
        raise JournalError(
            f"sink {position.name}: a batch that ends at {to_seq} does not follow {position.cursor}"
        )
    return msgspec.structs.replace(
        position,
        cursor=max(position.cursor, to_seq),
        delivered=position.delivered + delivered,
        filtered=position.filtered + filtered,
        dropped=position.dropped + dropped - taken_back,
        dead_letters=position.dead_letters + dead,
    )


def forget(connection: apsw.Connection, name: str) -> int:
    """Remove a sink with its dead letters; the number of those."""
    connection.execute("DELETE FROM sinks WHERE name = ?", (name,))
    connection.execute("DELETE FROM dead_letters WHERE sink = ?", (name,))
    return connection.changes()


def add_dead_letters(connection: apsw.Connection, letters: Sequence[DeadLetter]) -> None:
    """Keep refused events, each with its own copy."""
    rows = [
        (
            letter.sink,
            letter.reason,
            letter.excerpt,
            letter.attempts,
            letter.first_try_ns,
            letter.last_try_ns,
            *to_fields(letter.record, bytes.fromhex(letter.record.id)),
        )
        for letter in letters
    ]
    connection.executemany(
        f"INSERT INTO dead_letters ({_LETTER_COLUMNS}, checksum) VALUES ({', '.join('?' * 16)})",
        [(*row, checksum(row)) for row in rows],
    )


def dead_letters(
    connection: apsw.Connection, sink: str | None, after: int, limit: int
) -> list[DeadLetter]:
    """Dead letters with a number above `after`, oldest first."""
    where, bindings = ("sink = ? AND", (sink, after, limit)) if sink else ("", (after, limit))
    rows = connection.execute(
        f"SELECT number, {_LETTER_COLUMNS}, checksum FROM dead_letters"
        f" WHERE {where} number > ? ORDER BY number LIMIT ?",
        bindings,
    )
    return [_to_letter(row) for row in rows.fetchall()]


def resolve_dead_letters(
    connection: apsw.Connection, numbers: Sequence[int], outcome: Outcome
) -> Counts:
    """Let dead letters go, counted as `outcome`; how many of each sink were still there."""
    held = Counter(
        cast("str", sink)
        for number in set(numbers)
        for (sink,) in connection.execute(
            "SELECT sink FROM dead_letters WHERE number = ?", (number,)
        )
    )
    resolved = [
        msgspec.structs.replace(
            position,
            **{
                "dead_letters": position.dead_letters - count,
                outcome: getattr(position, outcome) + count,
            },
        )
        for position, count in ((require(connection, sink), held[sink]) for sink in held)
    ]
    connection.executemany(
        "DELETE FROM dead_letters WHERE number = ?", ((number,) for number in numbers)
    )
    for position in resolved:
        save(connection, position)
    return dict(held)


def _to_position(row: tuple[object, ...]) -> SinkPosition:
    *columns, stored = row
    if checksum(columns) != stored:
        raise JournalDamaged(
            f"journal damaged: the position of sink {row[0]!r} is not what was written; restore a"
            " backup (docs/operations.md)"
        )
    return msgspec.convert(dict(zip(_COLUMNS, columns, strict=True)), SinkPosition, strict=False)


def _to_letter(row: tuple[object, ...]) -> DeadLetter:
    number, *columns, stored = row
    if checksum(columns) != stored:
        raise JournalDamaged(f"journal damaged: dead letter {number} is not what was written")
    words = dict(zip(_LETTER_COLUMNS.split(", "), columns[:_LETTER_WORDS], strict=False))
    record = from_fields(cast("Fields", tuple(columns[_LETTER_WORDS:])))
    return msgspec.convert({**words, "number": number, "record": record}, DeadLetter)
