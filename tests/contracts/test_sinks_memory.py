"""The double of a sink keeps the same promises as the real ones."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.contracts.sink_suite import SinkHarness, SinkSuite
from tests.doubles.sinks import MemoryPeer, MemorySink


class MemoryHarness:
    """A list as the peer."""

    def __init__(self) -> None:
        self._peer = MemoryPeer()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[MemorySink]:
        """A sink in front of the list."""
        yield MemorySink(self._peer)

    async def held(self) -> Sequence[str]:
        """What is in the list."""
        return [item.record.id for item in self._peer.held]

    async def break_peer(self) -> None:
        """It no longer answers."""
        self._peer.down = True

    async def mend_peer(self) -> None:
        """It answers again."""
        self._peer.down = False


class TestMemory(SinkSuite):
    """`tests.doubles.sinks`."""

    @pytest.fixture
    def harness(self) -> SinkHarness:
        """A fresh list."""
        return MemoryHarness()
