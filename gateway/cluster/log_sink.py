"""The shared log among the sinks: it has a cursor, is retried and shows in `status` as they do."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import trio

from gateway.cluster.board import BoardUnavailable, Log
from gateway.cluster.settings import ClusterSettings
from gateway.contracts.sink import (
    ConfiguredSink,
    Item,
    Sink,
    SinkContext,
    SinkOptions,
    SinkSpec,
    Verdict,
)
from gateway.delivery import Delivery
from gateway.errors import SinkUnavailable

NAME: Final = "cluster:log"
"""No configured sink can have this name."""

POLL_SECONDS: Final = 0.05


class _LogSink:
    def __init__(self, log: Log) -> None:
        self._log = log

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        try:
            return await self._log.deliver(items)
        except BoardUnavailable as error:
            raise SinkUnavailable(str(error)) from None


class LogSink:
    """Adds the shared log to the configured sinks."""

    def __init__(self, settings: ClusterSettings, log: Log) -> None:
        self._log = log
        spec = SinkSpec(
            name="cluster",
            summary="The shared log of the cluster.",
            settings=ClusterSettings,
            open=self._open,
        )
        options = SinkOptions(type="cluster")
        self._configured = ConfiguredSink(name=NAME, spec=spec, options=options, settings=settings)

    def beside(self, sinks: Mapping[str, ConfiguredSink]) -> dict[str, ConfiguredSink]:
        """These sinks, and the log."""
        return {**sinks, NAME: self._configured}

    @asynccontextmanager
    async def _open(self, _settings: msgspec.Struct, _context: SinkContext) -> AsyncIterator[Sink]:
        yield _LogSink(self._log)


async def wait_told(delivery: Delivery, seq: int) -> None:
    """Wait until the log has everything up to that seq of the journal."""
    while delivery.cursor(NAME) < seq:  # noqa: ASYNC110 # a worker rings no bell for its cursor
        await trio.sleep(POLL_SECONDS)
