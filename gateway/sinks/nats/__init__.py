"""The `nats` sink: events published to JetStream, each acknowledged, each recognised by its id.

`settings` its options, `publisher` the client library's side (asyncio), with
`acknowledgements`, `loop` the thread that it runs in, `sink` the delivery, `probe` the check
before the start. All but `settings` need the library.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext, SinkSpec
from gateway.sinks.extras import load_client
from gateway.sinks.nats.settings import CLIENT, EXTRA, NatsSettings

if TYPE_CHECKING:
    from gateway.sinks.nats.sink import NatsSink

__all__ = ["SINK", "NatsSettings", "open_nats", "probe_nats"]


@asynccontextmanager
async def open_nats(settings: NatsSettings, context: SinkContext) -> AsyncIterator["NatsSink"]:
    """Open the sink; the first delivery connects and sees to the stream."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.nats.sink import NatsSink

    sink = NatsSink(settings, context)
    try:
        yield sink
    finally:
        await sink.aclose()


async def probe_nats(settings: NatsSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, log in and look at the stream."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.nats.probe import findings

    return await findings(settings, context)


SINK: Final = SinkSpec(
    name="nats",
    summary="Publishes events to NATS JetStream, with acknowledgement.",
    settings=NatsSettings,
    open=open_nats,
    probe=probe_nats,
    extra=EXTRA,
    guarantees=(
        "An event is accepted once JetStream has acknowledged it, which is no fsync unless the"
        " server says `sync_interval: always`. The stream is in order of seq. `Nats-Msg-Id` is the"
        " event's id: what comes again within the stream's duplicate window (2 h if the gateway"
        " made it) is recognised by the server; beyond that consumers go by id. A message above"
        " the server's or the stream's size limit goes to the dead letters; all else waits."
    ),
    quick_start="""\
sinks:
  bus:
    type: nats
    servers: [127.0.0.1:4222]
    subject: gateway.{account}.{kind}.{symbol}
""",
)
