"""A sink over a client library that blocks: each batch is sent in a thread of its own.

For the sinks whose library has no Trio side and whose batch is a plain call: Kafka, MQTT.
"""

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from gateway.contracts.sink import Item, SinkContext, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.one_thread import OneThread
from gateway.sinks.redacted import redacted

CLOSE_SECONDS: Final = 2.0
"""How long closing may take."""


class BlockingClient(Protocol):
    """The library's side; called in a thread, one call at a time."""

    def send(self, items: Sequence[Item], stop: threading.Event) -> Sequence[Verdict]:
        """Send all in order; end soon once `stop` is set. Raises `SinkUnavailable`."""

    def close(self) -> None:
        """Forget the connection; the next call makes another."""


class BlockingSink:
    """Sends each batch in a thread, and tells it to stop when the time limit has passed."""

    def __init__(self, client: BlockingClient, context: SinkContext) -> None:
        self._client = client
        self._clean = context.redactor.redact
        self._thread = OneThread()

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Send all, and answer when the peer has acknowledged each."""
        stop = threading.Event()
        try:
            verdicts = await self._thread.run(self._client.send, items, stop)
        except SinkUnavailable as error:
            raise SinkUnavailable(self._clean(str(error))) from None
        finally:
            stop.set()
        return [redacted(verdict, self._clean) for verdict in verdicts]

    async def aclose(self) -> None:
        """Let the connection go."""
        await self._thread.finish(self._client.close, CLOSE_SECONDS)


@asynccontextmanager
async def open_blocking(
    client: BlockingClient, context: SinkContext
) -> AsyncIterator[BlockingSink]:
    """Open the sink; the first delivery connects."""
    sink = BlockingSink(client, context)
    try:
        yield sink
    finally:
        await sink.aclose()
