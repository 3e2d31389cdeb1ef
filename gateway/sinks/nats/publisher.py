"""The asyncio side: connects, sees to the stream, publishes, waits for acknowledgements.

Runs in the loop of `gateway.sinks.nats.loop`; nothing here knows Trio.
"""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from gateway.contracts.sink import Item, Later, Refused, Verdict
from gateway.sinks.nats.acknowledgements import Acknowledgements
from gateway.sinks.nats.settings import DEFAULT_PORT, LEGAL_IN_VALUE, NatsSettings
from gateway.sinks.patterns import Pattern
from gateway.sinks.peers import connect_seconds, parse_peer, rotated, trust

CLOSE_SECONDS: Final = 0.25
"""How long a farewell may take; a delivery whose connection failed waits for it."""
HEADER_BYTES: Final = 256
"""Headers count in the server's limit; ours are shorter."""

Trouble = (nats.errors.Error, OSError, asyncio.TimeoutError)
"""What the library raises when a server cannot be used."""


class Publisher:
    """One connection at a time, thrown away after any trouble."""

    def __init__(self, settings: NatsSettings, timeout_seconds: float) -> None:
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._subject = Pattern(settings.subject, LEGAL_IN_VALUE)
        self._client: Client | None = None
        self._lost = asyncio.Event()
        self._attempts = count()
        self._answers: Acknowledgements | None = None
        self._one_at_a_time = asyncio.Lock()
        """A delivery that was cancelled may still be closing its connection."""

    async def publish(self, items: Sequence[Item]) -> list[Verdict]:
        """Publish all in order; a verdict for each. Raises one of `Trouble`."""
        async with self._one_at_a_time:
            done = False
            try:
                client = await self._connected()
                verdicts = await self._unless_lost(self._publish(client, items))
                done = not any(isinstance(verdict, Later) for verdict in verdicts)
                return verdicts
            finally:
                if not done:
                    await self.close()

    async def connect(self) -> Client:
        """Connect and log in. Raises one of `Trouble`."""
        lost, reasons = asyncio.Event(), list[Exception]()

        async def note_loss() -> None:
            lost.set()

        async def note_reason(reason: Exception) -> None:
            reasons.append(reason)

        self._client, self._lost = Client(), lost
        patience: Any = connect_seconds(self._timeout_seconds, self._settings.servers)
        try:
            await self._client.connect(
                error_cb=note_reason,
                closed_cb=note_loss,
                disconnected_cb=note_loss,
                connect_timeout=patience,  # annotated as a whole number, taken as any
                **_options(self._settings, next(self._attempts)),
            )
        except nats.errors.NoServersError:
            raise reasons[-1] if reasons else nats.errors.NoServersError from None
        return self._client

    async def find_stream(self) -> StreamConfig | None:
        """Log in and look for the stream: None where it is to be made. Raises one of `Trouble`."""
        client = await self.connect()
        jetstream = client.jetstream(timeout=self._timeout_seconds)
        try:
            return (await jetstream.stream_info(self._settings.stream)).config
        except nats.js.errors.NotFoundError:
            if not self._settings.create_stream:
                raise
            return None

    async def close(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await asyncio.wait_for(client.close(), CLOSE_SECONDS)
        except Trouble:
            _abort(client)

    async def _connected(self) -> Client:
        if self._client is not None and self._lost.is_set():
            await self.close()
        if self._client is None:
            client = await self.connect()
            if self._settings.create_stream:
                await self._see_to_stream(client.jetstream(timeout=self._timeout_seconds))
            self._answers = Acknowledgements(client)
            await self._answers.open()
        assert self._client is not None
        return self._client

    async def _see_to_stream(self, jetstream: JetStreamContext) -> None:
        settings = self._settings
        try:
            await jetstream.stream_info(settings.stream)
        except nats.js.errors.NotFoundError:
            await jetstream.add_stream(
                name=settings.stream,
                subjects=[settings.wildcard],
                duplicate_window=settings.duplicate_window,
                max_age=settings.max_age or 0,
                max_bytes=settings.max_size or -1,
                num_replicas=settings.replicas,
            )

    async def _publish(self, client: Client, items: Sequence[Item]) -> list[Verdict]:
        assert self._answers is not None
        sent = [await self._send(client, self._answers, item) for item in items]
        return [one if isinstance(one, Refused) else await one for one in sent]

    async def _send(
        self, client: Client, answers: Acknowledgements, item: Item
    ) -> "asyncio.Future[Verdict] | Refused":
        if len(item.body) > client.max_payload - HEADER_BYTES:
            return Refused(reason="too_large", excerpt="above the server's max_payload")
        reply, verdict = answers.expect(item.record.seq)
        subject = self._subject.name_for(item.record)
        await client.publish(subject, item.body, reply, headers={"Nats-Msg-Id": item.record.id})
        return verdict

    async def _unless_lost(self, work: Any) -> list[Verdict]:
        """Its result, unless the connection ends before: no acknowledgement comes then."""
        working = asyncio.ensure_future(work)
        losing = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait((working, losing), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise nats.errors.StaleConnectionError
            result: list[Verdict] = working.result()
            return result
        finally:
            working.cancel()
            losing.cancel()


def _abort(client: Client) -> None:
    """Drop the socket. A server that fell silent never ends TLS, and asyncio waits long for it."""
    transport: Any = client._transport  # noqa: SLF001 (the library itself has no way to let go)
    writer = getattr(transport, "_io_writer", None)
    if writer is not None:
        writer.transport.abort()


def describe(error: BaseException) -> str:
    """What an error says, and what to do about it."""
    match error:
        case nats.js.errors.ServiceUnavailableError() | nats.errors.NoRespondersError():
            return "no JetStream here (start the server with it, and allow this account to use it)"
        case nats.js.errors.NotFoundError():
            return f"JetStream: {error.description} (make it, or let `create_stream: true` do so)"
        case nats.js.errors.APIError():
            return f"JetStream: {error.description} ({error.err_code})"
        case nats.errors.StaleConnectionError():
            return "the connection was lost before the acknowledgement"
    text = " ".join(str(error).removeprefix("nats: ").split()) or type(error).__name__
    if "uthorization" in text or "uthentication" in text:
        return f"{text} (look at `username`, `password` and `credentials_file`)"
    return text


def _options(settings: NatsSettings, attempt: int) -> dict[str, Any]:
    servers = rotated(settings.servers, attempt)
    options: dict[str, Any] = {
        "servers": [f"nats://{parse_peer(server, DEFAULT_PORT)}" for server in servers],
        "dont_randomize": True,
        "name": "exchange-event-gateway",
        # The worker comes again, with the back-off of its sink; without the two limits the
        # library would go on trying to connect for good.
        "allow_reconnect": False,
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": 0,
    }
    if settings.tls:
        options["tls"] = trust(settings.ca_file)
    password = None if settings.password is None else settings.password.read()
    if settings.credentials_file is not None:
        options["user_credentials"] = str(settings.credentials_file)
    elif settings.username is None:
        options["token"] = password
    else:
        options |= {"user": settings.username, "password": password}
    return options
