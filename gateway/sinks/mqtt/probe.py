"""What `gateway check --connect` asks an MQTT broker."""

import threading
import time

import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext
from gateway.errors import SinkUnavailable
from gateway.sinks.mqtt.session import Session
from gateway.sinks.mqtt.settings import MqttSettings


async def findings(settings: MqttSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect and log in; nothing is published."""
    session = Session(settings, context.options.timeout)
    try:
        await trio.to_thread.run_sync(_try, session, context.options.timeout)
    except SinkUnavailable as error:
        detail = f"{settings.server}: {context.redactor.redact(str(error))}"
        return [ProbeFinding(what="connect", ok=False, detail=detail)]
    secured = "certificate verified" if settings.tls else "without TLS"
    return [ProbeFinding(what="connect", ok=True, detail=f"{settings.server}, {secured}")]


def _try(session: Session, timeout_seconds: float) -> None:
    try:
        session.connect(time.monotonic() + timeout_seconds, threading.Event())
    finally:
        session.close()
