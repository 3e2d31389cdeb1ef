"""The Trio side: hands each batch to the publisher in its own thread, and waits."""

from collections.abc import Sequence

import trio

from gateway.contracts.sink import Item, SinkContext, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.nats.loop import STOP_SECONDS, LoopThread
from gateway.sinks.nats.publisher import Publisher, Trouble, describe
from gateway.sinks.nats.settings import NatsSettings


class NatsSink:
    """Speaks to one NATS cluster."""

    def __init__(self, settings: NatsSettings, context: SinkContext) -> None:
        self._publisher = Publisher(settings, context.options.timeout)
        self._loop = LoopThread(f"sink:{context.name}")
        self._clean = context.redactor.redact

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Publish all in order, and answer when JetStream has acknowledged each."""
        try:
            return await self._loop.run(self._publisher.publish(items))
        except Trouble as error:
            raise SinkUnavailable(self._clean(describe(error))) from None

    async def aclose(self) -> None:
        """Close the connection and end the thread."""
        with trio.move_on_after(STOP_SECONDS, shield=True):
            await self._loop.run(self._publisher.close())
        await self._loop.aclose()
