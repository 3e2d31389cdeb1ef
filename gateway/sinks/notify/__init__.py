"""The `notify` sink: messages for people, by any service that Apprise knows.

`settings` which events are worth one, `sentences` how they read, `digest` what waits for
the next message, `sink` when that goes out, `service` the library behind its wall.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext, SinkSpec
from gateway.errors import ExtraMissing, SinkUnavailable
from gateway.sinks.notify.digest import DigestFile
from gateway.sinks.notify.service import Service, open_service, secrets_of
from gateway.sinks.notify.settings import NotifySettings
from gateway.sinks.notify.sink import NotifySink

__all__ = ["SINK", "NotifySettings", "NotifySink", "open_notify", "probe_notify"]


@asynccontextmanager
async def open_notify(settings: NotifySettings, context: SinkContext) -> AsyncIterator[NotifySink]:
    """Open the sink; nothing is sent but what waits from before."""
    service = await _open_service(settings, context)
    file = DigestFile(context.state_dir / f"notify-{context.name}.json")
    sink = NotifySink(service, file, settings, context)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sink.run, name=f"sink:{context.name}:digests")
        try:
            yield sink
        finally:
            nursery.cancel_scope.cancel()
            await sink.aclose()


async def probe_notify(settings: NotifySettings, context: SinkContext) -> list[ProbeFinding]:
    """Tell whether the address is one; services offer no way to try it without a message."""
    try:
        service = await _open_service(settings, context)
    except (ExtraMissing, SinkUnavailable) as error:
        return [ProbeFinding(what="address", ok=False, detail=str(error))]
    return [ProbeFinding(what="address", ok=True, detail=f"{service.name}; no message was sent")]


async def _open_service(settings: NotifySettings, context: SinkContext) -> Service:
    url = settings.url.read()
    context.redactor.add(*secrets_of(url))
    # In a thread because the library takes a good while to import.
    return await trio.to_thread.run_sync(open_service, url, context.redactor.redact)


SINK: Final = SinkSpec(
    name="notify",
    summary="Messages for people: Telegram, Slack, Discord, e-mail and what else Apprise knows.",
    settings=NotifySettings,
    open=open_notify,
    probe=probe_notify,
    extra="notify",
    guarantees=(
        "An event is accepted once a message about it was taken by the service, or once it stands"
        " in the digest's file. Messages come in order; after a lost answer or a crash one may"
        " come twice. Whether a person was reached is the service's affair."
    ),
    quick_start="""\
sinks:
  phone:
    type: notify
    url: {env: PHONE_URL}
    about: [gaps, suspensions, fills]
    fills_over: {USDT: 10000}
""",
)
