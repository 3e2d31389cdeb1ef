"""What `gateway check --connect` asks NATS."""

from typing import Final

import trio
from nats.js.api import StreamConfig

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext
from gateway.sinks.nats.loop import STOP_SECONDS, LoopThread
from gateway.sinks.nats.publisher import Publisher, Trouble, describe
from gateway.sinks.nats.settings import NatsSettings

JETSTREAM_WINDOW_SECONDS: Final = 120
"""What a stream has whose maker asked for nothing: `StreamDefaultDuplicatesWindow`, nats-server."""


async def findings(settings: NatsSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, log in and look at the stream; nothing is created or published."""
    where = ", ".join(settings.servers)
    publisher = Publisher(settings, context.options.timeout)
    loop = LoopThread(f"probe:{context.name}")
    try:
        stream = await loop.run(publisher.find_stream())
        secured = "certificate verified" if settings.tls else "without TLS"
        connected = ProbeFinding(what="connect", ok=True, detail=f"{where}, {secured}")
        return [connected, _about(stream, settings)]
    except Trouble as error:
        detail = f"{where}: {describe(error)}"
        return [ProbeFinding(what="connect", ok=False, detail=detail)]
    finally:
        with trio.move_on_after(STOP_SECONDS, shield=True):
            await loop.run(publisher.close())
        await loop.aclose()


def _about(stream: StreamConfig | None, settings: NatsSettings) -> ProbeFinding:
    if stream is None:
        return ProbeFinding(what="stream", ok=True, detail=f"{settings.stream} is to be made")
    problem = _problem(stream, settings)
    detail = f"{settings.stream} is there{problem and ', but '}{problem}"
    return ProbeFinding(what="stream", ok=not problem, detail=detail)


def _problem(stream: StreamConfig, settings: NatsSettings) -> str:
    subject = settings.wildcard
    if not any(_covers(one, subject) for one in stream.subjects or ()):
        return f"it does not keep {subject}: add that to its subjects"
    window = stream.duplicate_window or JETSTREAM_WINDOW_SECONDS
    if window < settings.duplicate_window:
        return (
            f"it recognises what comes again for {window:g} s only: give it"
            f" {settings.duplicate_window:g} s (`nats stream edit --dupe-window`), or say"
            f" `duplicate_window: {window:g}s` where consumers go by id"
        )
    return ""


def _covers(kept: str, subject: str) -> bool:
    """Whether a stream that keeps `kept` keeps all of `subject`, where each may have wildcards."""
    ours = subject.split(".")
    for place, theirs in enumerate(kept.split(".")):
        if theirs == ">":
            return place < len(ours)
        if place >= len(ours) or theirs not in ("*", ours[place]):
            return False
    return len(kept.split(".")) == len(ours)
