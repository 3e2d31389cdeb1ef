"""Sends each batch in a thread, and tells it to stop when the time limit has passed."""

import threading
from collections.abc import Sequence
from typing import Final

from gateway.contracts.sink import Item, SinkContext, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.kafka.producer import Sender
from gateway.sinks.kafka.settings import KafkaSettings
from gateway.sinks.one_thread import OneThread
from gateway.sinks.redacted import redacted

CLOSE_SECONDS: Final = 2.0
"""How long closing may take."""


class KafkaSink:
    """Speaks to one Kafka cluster."""

    def __init__(self, settings: KafkaSettings, context: SinkContext) -> None:
        self._sender = Sender(settings, context.options.timeout)
        self._clean = context.redactor.redact
        self._thread = OneThread()

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Send all in order, and answer when every replica in sync has each."""
        stop = threading.Event()
        try:
            verdicts = await self._thread.run(self._sender.send, items, stop)
        except SinkUnavailable as error:
            raise SinkUnavailable(self._clean(str(error))) from None
        finally:
            stop.set()
        return [redacted(verdict, self._clean) for verdict in verdicts]

    async def aclose(self) -> None:
        """Forget the producer."""
        await self._thread.finish(self._sender.close, CLOSE_SECONDS)
