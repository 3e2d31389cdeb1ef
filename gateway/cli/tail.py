"""`gateway tail`: events from the journal, then live.

Reads the journal's files, so it works beside a running gateway and on a stopped
one, and costs the running one nothing.
"""

import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

import click
import msgspec

from gateway.cli.options import instant, loaded_config
from gateway.contracts.sink import Record
from gateway.events.model import Kind
from gateway.journal.reader import JournalReader, open_reader
from gateway.sinks.console.lines import format_line

_DEFAULT_COUNT: Final = 10
"""As tail(1)."""

_CHUNK: Final = 1000
"""Records read at a time."""

_LOOK_SECONDS: Final = 0.2
"""How often `-f` looks for more: quick for an eye, cheap for the disk."""

_CLOCK_SLACK_NS: Final = 2 * 3600 * 10**9
"""How far the machine's clock may have been set back: records are in order of seq,
their times only nearly."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which records; empty tuples want all."""

    accounts: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    """In either spelling."""
    since_ns: int | None = None
    """Epoch time of receipt."""
    from_seq: int | None = None

    def holds(self, record: Record) -> bool:
        """Tell whether the record is wanted."""
        return (
            (self.from_seq is None or record.seq >= self.from_seq)
            and (self.since_ns is None or record.received_ns >= self.since_ns)
            and (not self.accounts or record.account in self.accounts)
            and (not self.kinds or record.kind in self.kinds)
            and (
                not self.symbols
                or record.symbol in self.symbols
                or record.venue_symbol in self.symbols
            )
        )


@click.command()
@click.option("--account", "accounts", multiple=True, help="Only this account; may be repeated.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in Kind]),
    help="Only this kind of event.",
)
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol, in either spelling.")
@click.option("--since", "since_ns", type=instant, help="Received since then: 10m, or a time.")
@click.option("--from-seq", type=click.IntRange(min=1), help="From this place in the journal on.")
@click.option("-n", "count", type=click.IntRange(min=0), help="At most so many, the newest.")
@click.option("-f", "--follow", is_flag=True, help="Go on with new events as they come.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as a sink gets it.")
@click.option("--raw", is_flag=True, help="With --json: the venue's own text too.")
def command(count: int | None, follow: bool, as_json: bool, raw: bool, **wishes: Any) -> None:
    """Events from the journal, then live.

    Shows the last 10 unless told otherwise. Works on a stopped gateway's journal too.
    """
    wanted = Wanted(**wishes)
    if count is None and wanted.since_ns is None and wanted.from_seq is None:
        count = _DEFAULT_COUNT
    writer = _Writer(as_json=as_json, raw=raw)
    with open_reader(loaded_config().state_dir) as reader:
        end = reader.ledger().next_seq
        if count is None:
            writer.write(_forward(reader, wanted, end))
        else:
            writer.write(_newest(reader, wanted, count, end))
        if follow:
            # To follow has no end of its own: Ctrl-C is the orderly one.
            with suppress(KeyboardInterrupt):
                writer.write(_follow(reader, wanted, end))


class _Writer:
    """Prints records as people or programs want them."""

    def __init__(self, *, as_json: bool, raw: bool) -> None:
        terminal = sys.stdout.isatty()
        self._as_json = as_json
        self._raw = raw
        self._colour = terminal and not os.environ.get("NO_COLOR")
        self._width = shutil.get_terminal_size().columns if terminal else None

    def write(self, records: Iterable[Record]) -> None:
        for record in records:
            print(self._line(record))
            # A pipe would otherwise hold back what a person waits for.
            sys.stdout.flush()

    def _line(self, record: Record) -> str:
        if self._as_json:
            return record.native(include_raw=self._raw).decode()
        return format_line(record.event(), colour=self._colour, width=self._width)


def _forward(reader: JournalReader, wanted: Wanted, end: int) -> Iterator[Record]:
    """Everything wanted before `end`, oldest first."""
    after = _start(reader, wanted, end) - 1
    while after < end - 1 and (records := reader.read(after, _CHUNK)):
        yield from (record for record in records if record.seq < end and wanted.holds(record))
        after = records[-1].seq


def _newest(reader: JournalReader, wanted: Wanted, count: int, end: int) -> list[Record]:
    """The newest `count` wanted records, oldest first."""
    found: deque[Record] = deque()
    for chunk in _backward(reader, wanted, end):
        for record in reversed(chunk):
            if len(found) == count:
                return list(found)
            if wanted.holds(record):
                found.appendleft(record)
    return list(found)


def _follow(reader: JournalReader, wanted: Wanted, start: int) -> Iterator[Record]:
    """New records as they come, until interrupted."""
    after = start - 1
    while True:
        records = reader.read(after, _CHUNK)
        yield from (record for record in records if wanted.holds(record))
        if records:
            after = records[-1].seq
        else:
            time.sleep(_LOOK_SECONDS)


def _start(reader: JournalReader, wanted: Wanted, end: int) -> int:
    """A seq before which nothing is wanted."""
    first = wanted.from_seq or 1
    if wanted.since_ns is None:
        return first
    oldest = end
    for chunk in _backward(reader, wanted, end):
        oldest = chunk[0].seq
    return max(oldest, first)


def _backward(reader: JournalReader, wanted: Wanted, end: int) -> Iterator[list[Record]]:
    """Chunks of records before `end`, the newest chunk first, until all is older than wanted."""
    lowest = max(wanted.from_seq or 1, reader.ledger().first_seq)
    oldest_ns = 0 if wanted.since_ns is None else wanted.since_ns - _CLOCK_SLACK_NS
    while end > lowest:
        start = max(end - _CHUNK, lowest)
        chunk = list(_between(reader, start, end))
        if not chunk:
            return  # retention was quicker
        yield chunk
        if max(one.received_ns for one in chunk) < oldest_ns:
            return
        end = start


def _between(reader: JournalReader, start: int, end: int) -> Iterator[Record]:
    # One read may give fewer than asked for, where records are large.
    after = start - 1
    while after < end - 1 and (records := reader.read(after, end - 1 - after)):
        yield from records
        after = records[-1].seq
