"""Sends each batch in a thread, and tells it to stop when the time limit has passed."""

import threading
import time
from collections.abc import Sequence
from typing import Final

import msgspec
import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Item, Later, Refused, SinkContext, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.mqtt.session import Session
from gateway.sinks.mqtt.settings import MqttSettings

CLOSE_SECONDS: Final = 2.0
"""How long closing may take."""


class MqttSink:
    """Speaks to one broker."""

    def __init__(self, settings: MqttSettings, context: SinkContext) -> None:
        self._session = Session(settings, context.options.timeout)
        self._clean = context.redactor.redact
        # One thread at a time: a call that was stopped must end before the next begins.
        self._limiter = trio.CapacityLimiter(1)

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Send all in order, and answer when the broker has acknowledged each."""
        stop = threading.Event()
        try:
            verdicts = await trio.to_thread.run_sync(
                self._session.send, items, stop, limiter=self._limiter, abandon_on_cancel=True
            )
        except SinkUnavailable as error:
            raise SinkUnavailable(self._clean(str(error))) from None
        finally:
            stop.set()
        return [self._cleaned(verdict) for verdict in verdicts]

    async def aclose(self) -> None:
        """Let the connection go."""
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await trio.to_thread.run_sync(
                self._session.close, limiter=self._limiter, abandon_on_cancel=True
            )

    def _cleaned(self, verdict: Verdict) -> Verdict:
        match verdict:
            case Later(reason=reason):
                return msgspec.structs.replace(verdict, reason=self._clean(reason))
            case Refused(excerpt=excerpt):
                return msgspec.structs.replace(verdict, excerpt=self._clean(excerpt))
            case _:
                return verdict


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
