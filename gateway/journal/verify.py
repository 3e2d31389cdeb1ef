"""The full check of a journal: every record, every id, every count.

Too slow for a start, so it is a command. It goes on after a finding, since a
person who has to decide what to do needs to know how far the damage goes.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, cast

import apsw
import msgspec

from gateway.errors import JournalDamaged
from gateway.journal import event_table, sink_table
from gateway.journal.database import DATABASE_NAME, connect_reader, our_errors
from gateway.journal.examination import examine
from gateway.journal.ids import read_segments
from gateway.journal.lock import is_held

_MOST_REPORTED: Final = 20
"""A rotten page spoils hundreds of records; the first findings tell as much as all."""
_STEP: Final = 1_000
"""Records per read, so that a running gateway can go on checkpointing."""


class Verdict(msgspec.Struct, frozen=True):
    """What was found."""

    records: int
    """How many records the journal keeps."""
    findings: tuple[str, ...]
    """Sentences for a person; none when everything is what was written."""


def verify(directory: Path) -> Verdict:
    """Check a journal, stopped or beside the gateway that writes it."""
    try:
        if not is_held(directory):
            # A running gateway has looked at its WAL itself, and is writing to it.
            examine(directory)
        with our_errors():
            connection = connect_reader(directory / DATABASE_NAME)
            ledger = event_table.read_ledger(connection)
    except JournalDamaged as damage:
        return Verdict(0, (str(damage),))
    try:
        findings = list(islice(_findings(connection), _MOST_REPORTED))
    finally:
        connection.close()
    return Verdict(ledger.next_seq - ledger.first_seq, tuple(findings))


def _findings(connection: apsw.Connection) -> Iterator[str]:
    for check in (_records, _ids, _book, _sinks, _dead_letters, _sqlite):
        try:
            with our_errors(connection):
                yield from check(connection)
        except JournalDamaged as damage:
            yield str(damage)


def _records(connection: apsw.Connection) -> Iterator[str]:
    """Each record is what was written, and none is missing."""
    # As of now: beside a gateway that runs the end moves on while its records are read.
    ledger = event_table.read_ledger(connection)
    expected = ledger.first_seq
    while records := list(event_table.scan(connection, expected - 1, _STEP)):
        for record in records:
            seq = record if isinstance(record, int) else record.seq
            if seq != expected:
                yield f"records {expected} to {seq - 1} are missing"
            if isinstance(record, int):
                yield f"record {seq} is not what was written"
            expected = seq + 1
    if expected < ledger.next_seq:
        yield f"records {expected} to {ledger.next_seq - 1} are missing"


def _ids(connection: apsw.Connection) -> Iterator[str]:
    """The ids of sealed records can be found."""
    after = 0
    for number, last_seq, _ in read_segments(connection):
        lost = connection.execute(
            "SELECT seq FROM events WHERE seq > ? AND seq <= ? AND NOT EXISTS"
            " (SELECT 1 FROM sealed_ids WHERE segment = ? AND sealed_ids.id = events.id)",
            (after, last_seq, number),
        )
        yield from (f"the id of record {seq} is missing from its segment" for (seq,) in lost)
        after = last_seq


def _book(connection: apsw.Connection) -> Iterator[str]:
    """What is remembered of each account is what was written."""
    for (account,) in connection.execute("SELECT DISTINCT account FROM book").fetchall():
        try:
            event_table.load_book(connection, cast("str", account))
        except JournalDamaged as damage:
            yield str(damage)


def _sinks(connection: apsw.Connection) -> Iterator[str]:
    """Counts add up, and no sink is past the end."""
    with event_table.snapshot(connection):
        last_seq = event_table.read_ledger(connection).next_seq - 1
        counts = connection.execute("SELECT sink, count(*) FROM dead_letters GROUP BY sink")
        held = dict(cast("list[tuple[str, int]]", counts.fetchall()))
        positions = sink_table.positions(connection)
    for position in positions:
        if position.cursor > last_seq:
            yield f"sink {position.name} is at {position.cursor}, past the last record {last_seq}"
        if position.dead_letters != held.pop(position.name, 0):
            yield f"sink {position.name} does not have as many dead letters as it counts"
    yield from (f"dead letters of {name}, a sink that is not known" for name in held)


def _dead_letters(connection: apsw.Connection) -> Iterator[str]:
    """Each dead letter is what was written."""
    after = 0
    while letters := sink_table.dead_letters(connection, None, after, _STEP):
        after = letters[-1].number or 0
    yield from ()


def _sqlite(connection: apsw.Connection) -> Iterator[str]:
    """The file as SQLite sees it."""
    for (line,) in connection.execute(f"PRAGMA integrity_check({_MOST_REPORTED})"):
        if line != "ok":
            yield f"SQLite: {line}"
