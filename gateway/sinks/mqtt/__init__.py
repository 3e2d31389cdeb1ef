"""The `mqtt` sink: events published with QoS 1 (MQTT 5), each acknowledged by the broker.

`settings` its options, `session` the client library's side (in a thread), `probe` the check
before the start. All but `settings` need the library.
"""

from contextlib import AbstractAsyncContextManager
from typing import Final

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext, SinkSpec
from gateway.sinks.blocking import BlockingSink, open_blocking
from gateway.sinks.extras import load_client
from gateway.sinks.mqtt.settings import CLIENT, EXTRA, MqttSettings

__all__ = ["SINK", "MqttSettings", "open_mqtt", "probe_mqtt"]


def open_mqtt(
    settings: MqttSettings, context: SinkContext
) -> AbstractAsyncContextManager[BlockingSink]:
    """Open the sink; the first delivery connects."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.mqtt.session import Session

    return open_blocking(Session(settings, context.options.timeout), context)


async def probe_mqtt(settings: MqttSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect and log in."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.mqtt.probe import findings

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
        " After a lost acknowledgement or a crash the batches in flight are published again:"
        " consumers go by the event's id. What the broker calls too large or malformed, and an"
        " event over which it ends the connection by an error of the protocol, goes to the dead"
        " letters; all else waits."
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
