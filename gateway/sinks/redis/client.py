"""A client of one server, of a cluster, or of the primary that sentinels name."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import coredis
from coredis.connection import TCPLocation
from coredis.retry import NoRetryPolicy

from gateway.contracts.sink import SinkContext
from gateway.sinks.peers import parse_peer, rotated, trust
from gateway.sinks.redis.settings import DEFAULT_PORTS, RedisSettings

# It logs, with a traceback, what the delivery reports anyway.
logging.getLogger("coredis").setLevel(logging.CRITICAL)
# It looks at the arguments of each command, which are the same in every one of ours: a sixth
# of what an event costs here.
coredis.Config.optimized = True

Client = coredis.Redis[bytes] | coredis.RedisCluster[bytes]


@asynccontextmanager
async def open_client(
    settings: RedisSettings, context: SinkContext, *, attempt: int = 0
) -> AsyncIterator[Client]:
    """A client for one connected spell; it repeats nothing by itself."""
    servers = [
        TCPLocation(peer.host, peer.port)
        for server in rotated(settings.servers, attempt)
        for peer in [parse_peer(server, DEFAULT_PORTS[settings.topology])]
    ]
    options = _options(settings, context)
    match settings.topology:
        case "cluster":
            async with coredis.RedisCluster[bytes](startup_nodes=servers, **options) as cluster:
                yield cluster
        case "sentinel":
            assert settings.service is not None  # the settings' problems() told
            sentinel = coredis.Sentinel(servers, **options, db=settings.database)
            async with sentinel, sentinel.primary_for(settings.service) as primary:
                yield primary
        case _:
            [server] = servers
            async with coredis.Redis(
                server.host, server.port, db=settings.database, **options
            ) as client:
                yield client


def _options(settings: RedisSettings, context: SinkContext) -> dict[str, Any]:
    password = None if settings.password is None else settings.password.read()
    if password is not None:
        context.redactor.add(password)
    return {
        "username": settings.username,
        "password": password,
        "ssl_context": trust(settings.ca_file) if settings.tls else None,
        "connect_timeout": context.options.timeout,
        # The worker repeats, with the back-off that the sink is configured with.
        "retry_policy": NoRetryPolicy(),
    }
