"""The `mqtt` sink: events published with QoS 1 (MQTT 5), each acknowledged by the broker.

`settings` its options, `session` the client library's side (in a thread), `sink` the
delivery. All but `settings` need the library.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext, SinkSpec
from gateway.sinks.extras import load_client
from gateway.sinks.mqtt.settings import CLIENT, EXTRA, MqttSettings

if TYPE_CHECKING:
    from gateway.sinks.mqtt.sink import MqttSink

__all__ = ["SINK", "MqttSettings", "open_mqtt", "probe_mqtt"]


@asynccontextmanager
async def open_mqtt(settings: MqttSettings, context: SinkContext) -> AsyncIterator["MqttSink"]:
    """Open the sink; the first delivery connects."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.mqtt.sink import MqttSink

    sink = MqttSink(settings, context)
    try:
        yield sink
    finally:
        await sink.aclose()


async def probe_mqtt(settings: MqttSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect and log in."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.mqtt.sink import findings

    return await findings(settings, context)


SINK: Final = SinkSpec(
    name="mqtt",
    summary="Publishes events to an MQTT 5 broker with QoS 1.",
    settings=MqttSettings,
    open=open_mqtt,
    probe=probe_mqtt,
    extra=EXTRA,
    guarantees=(
        "An event is accepted once the broker has acknowledged it (QoS 1); what it does for"
        " subscribers that are away is the broker's affair. Events are published in order of seq."
        " After a lost acknowledgement or a crash the batch in flight is published again: consumers"
        " go by the event's id. What the broker calls too large or malformed, and an event over"
        " which it ends the connection by an error of the protocol, goes to the dead letters; all"
        " else waits."
    ),
    quick_start="""\
sinks:
  home:
    type: mqtt
    server: 127.0.0.1:1883
    topic: gateway/{account}/{kind}/{symbol}
    retain: true
""",
)
