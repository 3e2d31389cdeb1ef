"""What `gateway check --connect` asks Redis."""

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext
from gateway.errors import SinkUnavailable
from gateway.sinks.redis.client import open_client
from gateway.sinks.redis.settings import RedisSettings
from gateway.sinks.redis.trouble import as_unavailable


async def findings(settings: RedisSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, log in and PING; nothing is written."""
    where = ", ".join(settings.servers)
    try:
        with as_unavailable(context.redactor.redact):
            async with open_client(settings, context) as client:
                await client.ping()
    except SinkUnavailable as error:
        return [ProbeFinding(what="connect", ok=False, detail=f"{where}: {error}")]
    secured = "certificate verified" if settings.tls else "without TLS"
    return [ProbeFinding(what="connect", ok=True, detail=f"{where}, logged in, {secured}")]
