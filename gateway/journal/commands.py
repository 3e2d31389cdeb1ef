"""What is asked of the writer beside `append`: each a function over its transaction.

They run inside the group's transaction, so a sink's move and the events of the
same moment share one fsync. Each checks first and then writes.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.journal import sink_table
from gateway.journal.records import DeadLetter, SinkPosition
from gateway.journal.sink_table import Counts, Outcome
from gateway.journal.store import Transaction


class Forgotten(msgspec.Struct, frozen=True):
    """What went with a sink that was forgotten."""

    dead_letters: int


def pass_by(_transaction: Transaction) -> None:
    """Do nothing: its answer says that everything asked before is on disk."""


def register_sink(
    transaction: Transaction, wanted: SinkPosition, start: Literal["earliest", "latest"]
) -> tuple[SinkPosition, Forgotten]:
    """Meet a sink, or meet it again: a known one goes on where it was.

    One whose type changed is another sink under the same name; the old one is
    forgotten.
    """
    known = sink_table.find(transaction.connection, wanted.name)
    if known is not None and known.type == wanted.type:
        again = msgspec.structs.replace(
            known, holds_retention=wanted.holds_retention, overflow=wanted.overflow
        )
        return sink_table.save(transaction.connection, again), Forgotten(0)
    letters = sink_table.forget(transaction.connection, wanted.name)
    ledger = transaction.ledger
    begin = (ledger.first_seq if start == "earliest" else ledger.next_seq) - 1
    fresh = msgspec.structs.replace(wanted, start_seq=begin, cursor=begin)
    return sink_table.save(transaction.connection, fresh), Forgotten(letters)


def advance(
    transaction: Transaction,
    name: str,
    to_seq: int,
    delivered: int,
    filtered: int,
    dropped: int,
    dead: Sequence[DeadLetter],
) -> SinkPosition:
    """Move a sink over a batch, and keep what it refused."""
    position = sink_table.require(transaction.connection, name)
    moved = sink_table.advanced(position, to_seq, delivered, filtered, dropped, len(dead))
    sink_table.add_dead_letters(transaction.connection, dead)
    return sink_table.save(transaction.connection, moved)


def release_sink(transaction: Transaction, name: str) -> None:
    """Hold back retention for this sink no longer; it keeps its place."""
    position = sink_table.find(transaction.connection, name)
    if position is not None:
        released = msgspec.structs.replace(position, holds_retention=False)
        sink_table.save(transaction.connection, released)


def forget_sink(transaction: Transaction, name: str) -> Forgotten:
    """Forget a sink with its dead letters."""
    return Forgotten(sink_table.forget(transaction.connection, name))


def count_replayed(transaction: Transaction, name: str, events: int) -> SinkPosition:
    """Note that events were sent again by request."""
    position = sink_table.require(transaction.connection, name)
    counted = msgspec.structs.replace(position, replayed=position.replayed + events)
    return sink_table.save(transaction.connection, counted)


def resolve_dead_letters(
    transaction: Transaction, numbers: Sequence[int], outcome: Outcome
) -> Counts:
    """Let dead letters go, counted as `outcome`; how many of each sink."""
    return sink_table.resolve_dead_letters(transaction.connection, numbers, outcome)


def forget_book(transaction: Transaction, account: str) -> None:
    """Forget all that is remembered of an account."""
    transaction.connection.execute("DELETE FROM book WHERE account = ?", (account,))
