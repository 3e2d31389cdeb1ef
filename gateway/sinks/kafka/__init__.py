"""The `kafka` sink: events sent by an idempotent producer, acknowledged by all replicas in sync.

`settings` its options, `producer` the client library's side (in a thread), `probe` the check
before the start. All but `settings` need the library.
"""

from contextlib import AbstractAsyncContextManager
from typing import Final

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext, SinkSpec
from gateway.sinks.blocking import BlockingSink, open_blocking
from gateway.sinks.extras import load_client
from gateway.sinks.kafka.settings import CLIENT, EXTRA, KafkaSettings

__all__ = ["SINK", "KafkaSettings", "open_kafka", "probe_kafka"]


def open_kafka(
    settings: KafkaSettings, context: SinkContext
) -> AbstractAsyncContextManager[BlockingSink]:
    """Open the sink; the first delivery connects."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.kafka.producer import Sender

    return open_blocking(Sender(settings, context.options.timeout), context)


async def probe_kafka(settings: KafkaSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, log in, count the brokers and look for the topics."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.kafka.probe import findings

    return await findings(settings, context)


SINK: Final = SinkSpec(
    name="kafka",
    summary="Sends events to Kafka topics, with the account as the key.",
    settings=KafkaSettings,
    open=open_kafka,
    probe=probe_kafka,
    extra=EXTRA,
    guarantees=(
        "An event is accepted once all replicas in sync have it (`acks=all`). The key is the"
        " account, so that events of one account and topic are in one partition and in order of"
        " seq. The producer is idempotent: what it repeats by itself stands once. After a crash or"
        " a cut delivery the batches in flight are sent again: consumers go by the header `id`."
        " A message above the brokers' limit goes to the dead letters; all else waits."
    ),
    quick_start="""\
sinks:
  bus:
    type: kafka
    servers: [127.0.0.1:9092]
    topic: gateway.{kind}
""",
)
