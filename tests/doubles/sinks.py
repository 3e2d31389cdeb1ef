"""A sink whose peer is a list in memory, and whose faults are switches.

It passes the same contract tests as every other sink
(tests/contracts/test_sinks_memory.py).
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio

from gateway.contracts.sink import (
    ACCEPTED,
    ConfiguredSink,
    Item,
    SinkContext,
    SinkOptions,
    SinkSpec,
    Verdict,
)
from gateway.errors import SinkUnavailable


class MemorySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the double: none that matter but this one."""

    colour: str = "grey"
    """Only there to be changed by a reload."""


class MemoryPeer:
    """What stands behind the sink: it keeps what it is sent, or does not."""

    def __init__(self) -> None:
        self.held: list[Item] = []
        """Everything it ever took, repeats included."""
        self.down = False
        self.hanging = False
        """Takes a batch and never answers."""
        self.delay_seconds = 0.0
        """How long it takes over a batch."""
        self.retry_after_seconds: float | None = None
        """What it asks for while it is down."""
        self.lost_answers = 0
        """So many batches are kept, but the answer does not come back."""
        self.answers_short = False
        """Answers for one event fewer than it was sent."""
        self.crash: Exception | None = None
        self.refuses_to_open: Exception | None = None
        self.verdict: Callable[[Item], Verdict] = lambda _: ACCEPTED
        """Its opinion of single events."""
        self.attempts: list[float] = []
        """When it was called, by Trio's clock."""
        self.opened = self.closed = 0
        self._busy = False

    @property
    def seqs(self) -> list[int]:
        """What it holds, in order of arrival."""
        return [item.record.seq for item in self.held]

    @property
    def distinct_seqs(self) -> list[int]:
        """What it holds, repeats left out, in order of first arrival."""
        return list(dict.fromkeys(self.seqs))

    async def take(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """One delivery."""
        assert not self._busy, "deliver was called twice at the same time"
        self._busy = True
        try:
            return await self._answer(items)
        finally:
            self._busy = False

    async def _answer(self, items: Sequence[Item]) -> Sequence[Verdict]:
        self.attempts.append(trio.current_time())
        await trio.sleep(self.delay_seconds)
        if self.hanging:
            await trio.sleep_forever()
        if self.crash is not None:
            raise self.crash
        if self.down:
            raise SinkUnavailable("no answer", retry_after_seconds=self.retry_after_seconds)
        verdicts = [self.verdict(item) for item in items]
        self.held += [
            item for item, verdict in zip(items, verdicts, strict=True) if verdict is ACCEPTED
        ]
        if self.lost_answers:
            self.lost_answers -= 1
            raise SinkUnavailable("the connection broke before the answer")
        return verdicts[:-1] if self.answers_short else verdicts


class MemorySink:
    """The sink in front of a peer."""

    def __init__(self, peer: MemoryPeer) -> None:
        self._peer = peer

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Hand the batch to the peer."""
        return await self._peer.take(items)


def memory_spec(peer: MemoryPeer) -> SinkSpec:
    """A sink type that leads to `peer`."""

    @asynccontextmanager
    async def open_memory(_settings: Any, _context: SinkContext) -> AsyncIterator[MemorySink]:
        await trio.lowlevel.checkpoint()
        if peer.refuses_to_open is not None:
            raise peer.refuses_to_open
        peer.opened += 1
        try:
            yield MemorySink(peer)
        finally:
            peer.closed += 1

    return SinkSpec(name="memory", summary="A list.", settings=MemorySettings, open=open_memory)


def memory_sink(
    peer: MemoryPeer, name: str = "desk", *, colour: str = "grey", **options: Any
) -> ConfiguredSink:
    """A configured sink that leads to `peer`; it starts at the journal's beginning."""
    return ConfiguredSink(
        name=name,
        spec=memory_spec(peer),
        options=SinkOptions(type="memory", **({"start": "earliest"} | options)),
        settings=MemorySettings(colour=colour),
    )
