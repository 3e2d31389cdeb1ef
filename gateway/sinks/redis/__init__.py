"""The `redis` sink: events added to streams, in one round trip a batch.

`settings` its options, `writer` what one event becomes, `client` the connection to a
server, cluster or sentinels, `sink` the delivery, `trouble`
its errors in our words. All but `settings` need the library.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext, SinkSpec
from gateway.sinks.extras import load_client
from gateway.sinks.redis.settings import CLIENT, EXTRA, RedisSettings

if TYPE_CHECKING:
    from gateway.sinks.redis.sink import RedisSink

__all__ = ["SINK", "RedisSettings", "open_redis", "probe_redis"]


@asynccontextmanager
async def open_redis(settings: RedisSettings, context: SinkContext) -> AsyncIterator["RedisSink"]:
    """Open the sink; the first delivery connects."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.redis.sink import RedisSink

    async with trio.open_nursery() as nursery:
        yield RedisSink(nursery, settings, context)
        nursery.cancel_scope.cancel()


async def probe_redis(settings: RedisSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, log in and PING."""
    load_client(CLIENT, extra=EXTRA)
    from gateway.sinks.redis.probe import findings

    return await findings(settings, context)


SINK: Final = SinkSpec(
    name="redis",
    summary="Adds events to Redis streams; on request publishes them and keeps the last states.",
    settings=RedisSettings,
    open=open_redis,
    probe=probe_redis,
    extra=EXTRA,
    guarantees=(
        "An event is accepted once Redis has added it to its stream; whether it is on Redis's disk"
        " by then is Redis's own `appendfsync`. Each stream is in order of seq. On one server, or"
        " behind sentinels, a batch is added whole or not at all. After a lost answer or a crash"
        " the batches in flight are added again: consumers go by the field `id`. Nothing is refused"
        " for good: a full, read-only or wrongly configured server is tried again."
    ),
    quick_start="""\
sinks:
  stream:
    type: redis
    servers: [127.0.0.1:6379]
    password: {env: REDIS_PASSWORD}
    stream: events:{account}:{kind}
    max_length: 1000000
""",
)
