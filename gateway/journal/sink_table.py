# ruff: noqa: S608 - the statements are put together from this module's own constants
"""The `sinks` and `dead_letters` tables: where each sink is and what it refused.

Plain functions over a connection, called by the writer inside its transaction
and by readers. Functions that write check first and then write, so that one
that refuses leaves the group's transaction clean.
"""

from collections.abc import Sequence
from typing import Final, Literal, cast

import apsw
import msgspec

from gateway.errors import JournalDamaged, JournalError
from gateway.journal.records import (
    ROW_COLUMNS,
    DeadLetter,
    Row,
    SinkPosition,
    from_row,
    to_row,
)

Outcome = Literal["delivered", "dropped"]

_COLUMNS: Final = SinkPosition.__struct_fields__
_UPSERT: Final = (
    f"INSERT OR REPLACE INTO sinks ({', '.join(_COLUMNS)})"
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_LETTER_COLUMNS: Final = "sink, reason, excerpt, attempts, first_try_ns, last_try_ns"


def positions(connection: apsw.Connection) -> list[SinkPosition]:
    """Every sink the journal knows, by name."""
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM sinks ORDER BY name")
    return [_to_position(row) for row in rows]


def find(connection: apsw.Connection, name: str) -> SinkPosition | None:
    """One sink's position, or None when the journal has not met it."""
    row = connection.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM sinks WHERE name = ?", (name,)
    ).fetchone()
    return None if row is None else _to_position(row)


def require(connection: apsw.Connection, name: str) -> SinkPosition:
    """One sink's position; an error when the journal has not met it."""
    position = find(connection, name)
    if position is None:
        raise JournalError(f"the journal knows no sink {name!r}")
    return position


def save(connection: apsw.Connection, position: SinkPosition) -> SinkPosition:
    """Write a position, and give it back."""
    connection.execute(_UPSERT, msgspec.structs.astuple(position))
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
    connection.executemany(
        f"INSERT INTO dead_letters ({_LETTER_COLUMNS}, {ROW_COLUMNS})"
        f" VALUES ({', '.join('?' * 16)})",
        (
            (
                letter.sink,
                letter.reason,
                letter.excerpt,
                letter.attempts,
                letter.first_try_ns,
                letter.last_try_ns,
                *to_row(letter.record, bytes.fromhex(letter.record.id)),
            )
            for letter in letters
        ),
    )


def dead_letters(
    connection: apsw.Connection, sink: str | None, after: int, limit: int
) -> list[DeadLetter]:
    """Dead letters with a number above `after`, oldest first."""
    where, bindings = ("sink = ? AND", (sink, after, limit)) if sink else ("", (after, limit))
    rows = connection.execute(
        f"SELECT number, {_LETTER_COLUMNS}, {ROW_COLUMNS} FROM dead_letters"
        f" WHERE {where} number > ? ORDER BY number LIMIT ?",
        bindings,
    )
    return [_to_letter(row) for row in rows]


def resolve_dead_letters(
    connection: apsw.Connection, numbers: Sequence[int], outcome: Outcome
) -> int:
    """Let dead letters go, counted as `outcome`; how many were still there."""
    resolved = 0
    for number in numbers:
        row = connection.execute(
            "SELECT sink FROM dead_letters WHERE number = ?", (number,)
        ).fetchone()
        if row is None:
            continue
        position = require(connection, cast("str", row[0]))
        moved = {"dead_letters": position.dead_letters - 1, outcome: 1 + getattr(position, outcome)}
        connection.execute("DELETE FROM dead_letters WHERE number = ?", (number,))
        save(connection, msgspec.structs.replace(position, **moved))
        resolved += 1
    return resolved


def _to_position(row: tuple[object, ...]) -> SinkPosition:
    try:
        position = msgspec.convert(
            dict(zip(_COLUMNS, row, strict=True)), SinkPosition, strict=False
        )
    except msgspec.ValidationError as error:
        raise JournalDamaged(f"journal damaged: position of sink {row[0]!r}: {error}") from error
    settled = position.delivered + position.filtered + position.dropped + position.dead_letters
    counts = msgspec.structs.astuple(position)[2:9]
    if position.cursor - position.start_seq != settled or min(counts) < 0:
        raise JournalDamaged(
            f"journal damaged: the counts of sink {position.name!r} do not add up to its position"
        )
    return position


def _to_letter(row: tuple[object, ...]) -> DeadLetter:
    number, sink, reason, excerpt, attempts, first_try_ns, last_try_ns, *columns = row
    record = from_row(cast("Row", tuple(columns)))
    if record is None:
        raise JournalDamaged(f"journal damaged: dead letter {number} is not what was written")
    return DeadLetter(
        number=cast("int", number),
        sink=cast("str", sink),
        record=record,
        reason=cast("str", reason),
        excerpt=cast("str", excerpt),
        attempts=cast("int", attempts),
        first_try_ns=cast("int", first_try_ns),
        last_try_ns=cast("int", last_try_ns),
    )
