"""The `webhook` sink: events as HTTP POSTs, signed by Standard Webhooks.

`settings` its options, `message` what is posted, `signature` how that is signed,
`answers` what a status means, `sink` in which order and in what portions.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext, SinkSpec
from gateway.contracts.values import Secret
from gateway.errors import ConnectFailed, SinkUnavailable
from gateway.sinks.peers import trust
from gateway.sinks.webhook.message import Writer
from gateway.sinks.webhook.settings import Target, WebhookSettings, parse_url
from gateway.sinks.webhook.signature import decode_key
from gateway.sinks.webhook.sink import WebhookSink
from gateway.wire.dial import open_stream
from gateway.wire.proxies import parse_proxy
from gateway.wire.rest import RestClient

__all__ = ["SINK", "WebhookSettings", "WebhookSink", "open_webhook", "probe_webhook"]

MAX_ANSWER_BYTES: Final = 64 * 1024
"""The status is what counts; of the rest a person reads the beginning."""
CLOSE_SECONDS: Final = 1.0
"""How long kept connections may take to close."""
_GIVES_ACCESS: Final = re.compile("auth|cookie|key|password|secret|signature|token", re.IGNORECASE)
"""Headers whose value is a secret, also where it stands in the configuration itself."""


@asynccontextmanager
async def open_webhook(
    settings: WebhookSettings, context: SinkContext
) -> AsyncIterator[WebhookSink]:
    """Open the sink; the first delivery connects."""
    target = _target(settings, context)
    writer = _writer(settings, context)
    client = RestClient(
        target.origin,
        clock=context.clock,
        proxy=settings.proxy,
        ssl_context=trust(settings.ca_file),
        timeout_seconds=context.options.timeout,
        max_answer_bytes=MAX_ANSWER_BYTES,
    )
    try:
        yield WebhookSink(target.address.resource, client, writer, context)
    finally:
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await client.aclose()


async def probe_webhook(settings: WebhookSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, and verify the certificate; nothing is posted."""
    where = ""
    try:
        target = _target(settings, context)
        where = str(target.address)
        _writer(settings, context)
        async with open_stream(
            target.address,
            proxy=settings.proxy,
            ssl_context=trust(settings.ca_file),
            timeout_seconds=context.options.timeout,
        ):
            secured = ", certificate verified" if target.address.secure else ", without TLS"
            return [ProbeFinding(what="connect", ok=True, detail=f"{where}{secured}")]
    except ConnectFailed as error:
        return [ProbeFinding(what="connect", ok=False, detail=f"{where}: {error}")]
    except SinkUnavailable as error:  # about an option
        return [ProbeFinding(what="connect", ok=False, detail=str(error))]


def _target(settings: WebhookSettings, context: SinkContext) -> Target:
    if settings.proxy is not None and (password := parse_proxy(settings.proxy).password):
        context.redactor.add(password)
    url = _text(settings.url)
    try:
        target = parse_url(url)
    except ValueError as error:
        raise SinkUnavailable(f"url: {error}") from None
    if isinstance(settings.url, Secret):
        resource = target.address.resource
        context.redactor.add(url, resource, resource.partition("?")[0])
    return target


def _writer(settings: WebhookSettings, context: SinkContext) -> Writer:
    return Writer(
        format=context.options.format,
        mode=settings.mode,
        headers=_headers(settings.headers, context),
        keys=tuple(_key(index, secret) for index, secret in enumerate(settings.secrets)),
    )


def _headers(headers: Mapping[str, str | Secret], context: SinkContext) -> dict[str, str]:
    texts = {name.lower(): _text(value) for name, value in headers.items()}
    for name, value in headers.items():
        if isinstance(value, Secret) or _GIVES_ACCESS.search(name):
            text = texts[name.lower()]
            # A receiver may echo the token without the `Bearer` before it.
            context.redactor.add(text, text.split()[-1])
    return texts


def _key(index: int, secret: Secret) -> bytes:
    try:
        return decode_key(secret.read())
    except ValueError as error:
        raise SinkUnavailable(f"secrets[{index}]: {error}") from None


def _text(value: str | Secret) -> str:
    return value.read() if isinstance(value, Secret) else value


SINK: Final = SinkSpec(
    name="webhook",
    summary="POSTs events as JSON or CloudEvents, signed by Standard Webhooks.",
    settings=WebhookSettings,
    open=open_webhook,
    probe=probe_webhook,
    guarantees=(
        "An event is accepted once the receiver answers 2xx. Events come in order of seq, and"
        " nothing is sent ahead of an event that has to wait. After a lost answer or a crash an"
        " event comes again with the same `webhook-id`: a receiver that remembers ids sees each"
        " once. 400, 409, 413 and 422 go to the dead letters (a batch is halved until the culprit"
        " stands alone); every other answer is tried again until it is 2xx."
    ),
    quick_start="""\
sinks:
  desk:
    type: webhook
    url: https://desk.example/events
    secrets: [{env: DESK_HOOK_SECRET}]
    kinds: [order, fill]
    format: cloudevents
""",
)
