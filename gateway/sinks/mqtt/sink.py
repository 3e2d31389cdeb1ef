"""Sends each batch in a thread, and tells it to stop when the time limit has passed."""

import threading
import time
from collections.abc import Sequence
from typing import Final

import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Item, SinkContext, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.mqtt.session import Session
from gateway.sinks.mqtt.settings import MqttSettings
from gateway.sinks.one_thread import OneThread
from gateway.sinks.redacted import redacted

CLOSE_SECONDS: Final = 2.0
"""How long closing may take."""


class MqttSink:
    """Speaks to one broker."""

    def __init__(self, settings: MqttSettings, context: SinkContext) -> None:
        self._session = Session(settings, context.options.timeout)
        self._clean = context.redactor.redact
        self._thread = OneThread()

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Send all in order, and answer when the broker has acknowledged each."""
        stop = threading.Event()
        try:
            verdicts = await self._thread.run(self._session.send, items, stop)
        except SinkUnavailable as error:
            raise SinkUnavailable(self._clean(str(error))) from None
        finally:
            stop.set()
        return [redacted(verdict, self._clean) for verdict in verdicts]

    async def aclose(self) -> None:
        """Let the connection go."""
        await self._thread.finish(self._session.close, CLOSE_SECONDS)


async def findings(settings: MqttSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect and log in; nothing is published."""
    session = Session(settings, context.options.timeout)
    try:
        await trio.to_thread.run_sync(_try, session, context.options.timeout)
    except SinkUnavailable as error:
        detail = f"{settings.server}: {error}"
        return [ProbeFinding(what="connect", ok=False, detail=detail)]
    secured = "certificate verified" if settings.tls else "without TLS"
    return [ProbeFinding(what="connect", ok=True, detail=f"{settings.server}, {secured}")]


def _try(session: Session, timeout_seconds: float) -> None:
    try:
        session.connect(time.monotonic() + timeout_seconds, threading.Event())
    finally:
        session.close()
