"""Sends each batch in a thread, and tells it to stop when the time limit has passed."""

import threading
from collections.abc import Sequence
from typing import Final

import msgspec
import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Item, Later, Refused, SinkContext, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.kafka.producer import Sender
from gateway.sinks.kafka.settings import KafkaSettings

CLOSE_SECONDS: Final = 2.0
"""How long closing may take."""


class KafkaSink:
    """Speaks to one Kafka cluster."""

    def __init__(self, settings: KafkaSettings, context: SinkContext) -> None:
        self._sender = Sender(settings, context.options.timeout)
        self._clean = context.redactor.redact
        # One thread at a time: a call that was stopped must end before the next begins.
        self._limiter = trio.CapacityLimiter(1)

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Send all in order, and answer when every replica in sync has each."""
        stop = threading.Event()
        try:
            verdicts = await trio.to_thread.run_sync(
                self._sender.send, items, stop, limiter=self._limiter, abandon_on_cancel=True
            )
        except SinkUnavailable as error:
            raise SinkUnavailable(self._clean(str(error))) from None
        finally:
            stop.set()
        return [self._cleaned(verdict) for verdict in verdicts]

    async def aclose(self) -> None:
        """Forget the producer."""
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await trio.to_thread.run_sync(
                self._sender.close, limiter=self._limiter, abandon_on_cancel=True
            )

    def _cleaned(self, verdict: Verdict) -> Verdict:
        match verdict:
            case Later(reason=reason):
                return msgspec.structs.replace(verdict, reason=self._clean(reason))
            case Refused(excerpt=excerpt):
                return msgspec.structs.replace(verdict, excerpt=self._clean(excerpt))
            case _:
                return verdict


async def findings(settings: KafkaSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, log in and count the brokers; nothing is sent."""
    where = ", ".join(settings.servers)
    sender = Sender(settings, context.options.timeout)
    try:
        brokers = await trio.to_thread.run_sync(sender.brokers, abandon_on_cancel=True)
    except SinkUnavailable as error:
        return [ProbeFinding(what="connect", ok=False, detail=f"{where}: {error}")]
    secured = "certificate verified" if settings.tls else "without TLS"
    detail = f"{where}: a cluster of {brokers}, {secured}"
    return [ProbeFinding(what="connect", ok=True, detail=detail)]
