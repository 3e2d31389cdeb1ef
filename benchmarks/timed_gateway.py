"""A gateway that notes when each event was journalled and accepted, in a process of its own.

``python -m benchmarks.timed_gateway CONFIG RESULT``: the daemon itself, with a stop watch
around every sink. At SIGTERM it writes what it noted, as `Notes`, to RESULT.
"""

import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio

from gateway.app import open_gateway
from gateway.config import load_config
from gateway.contracts.sink import ConfiguredSink, Item, Sink, SinkContext, Verdict
from gateway.journal import Journal
from gateway.tuning import tune_python

Stamps = list[tuple[int, int]]
"""From which seq on, and when it was reached (epoch ns): up to the next entry's seq."""


class Notes(msgspec.Struct):
    """What was noted."""

    journalled: Stamps
    accepted: dict[str, Stamps]
    """By sink."""


class StopWatch:
    """A sink that notes when the one inside took a batch."""

    def __init__(self, inner: Sink, stamps: Stamps) -> None:
        self._inner = inner
        self._stamps = stamps

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Deliver, then look at the clock."""
        verdicts = await self._inner.deliver(items)
        self._stamps.append((items[-1].record.seq, time.time_ns()))
        return verdicts


def timed(configured: ConfiguredSink, stamps: Stamps) -> ConfiguredSink:
    """The same sink with a watch around it."""

    @asynccontextmanager
    async def open_timed(settings: Any, context: SinkContext) -> AsyncIterator[StopWatch]:
        async with configured.spec.open(settings, context) as sink:
            yield StopWatch(sink, stamps)

    spec = msgspec.structs.replace(configured.spec, open=open_timed)
    return msgspec.structs.replace(configured, spec=spec)


async def note_commits(journal: Journal, stamps: Stamps) -> None:
    """Note each time that the journal has grown."""
    while True:
        await journal.wait_past(journal.last_seq)
        stamps.append((journal.last_seq, time.time_ns()))


async def main(path: Path) -> Notes:
    """Run until SIGTERM."""
    config = load_config(path)
    notes = Notes([], {name: [] for name in config.sinks})
    sinks = {name: timed(sink, notes.accepted[name]) for name, sink in config.sinks.items()}
    with trio.open_signal_receiver(signal.SIGTERM) as received:
        async with (
            open_gateway(msgspec.structs.replace(config, sinks=sinks), path) as gateway,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(note_commits, gateway.journal, notes.journalled)
            async for _ in received:
                break
            nursery.cancel_scope.cancel()
    return notes


if __name__ == "__main__":
    tune_python()
    found = trio.run(main, Path(sys.argv[1]))
    Path(sys.argv[2]).write_bytes(msgspec.json.encode(found))
