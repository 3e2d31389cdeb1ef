"""One connection's life: subscribe, prove it, then read until something ends it.

LBank acknowledges no subscription and pushes nothing on a quiet account, so a
stream is proven by what it does *not* get: after the subscribe frames our ping is
answered and no error frame comes within two seconds. RFC 6455 pings prove nothing
here: LBank does not answer them reliably.
"""

import base64
from collections.abc import Sequence
from uuid import uuid4

import trio

from adapters.lbank import endpoints, requests
from adapters.lbank.frames import AssetPush, OrderPush, Ping, Pong, Refusal, Unknown, decode_frame
from adapters.lbank.keys import Key, StreamKeys
from adapters.lbank.normalise import normalise_push
from adapters.lbank.refusals import refusal_by_words, without_address
from adapters.lbank.told_trades import ToldTrades
from gateway.contracts.adapter import Outlet
from gateway.contracts.told import Told, ToldUnrecognized
from gateway.errors import KeyExpired, StreamError, SubscriptionRefused
from gateway.telemetry.redaction import Redactor
from gateway.wire.keepalive import Liveness
from gateway.wire.onefailure import open_single_failure_nursery
from gateway.wire.websocket import Received, WebSocket


class Stream:
    """What one open socket of one account does."""

    def __init__(
        self,
        socket: WebSocket,
        outlet: Outlet,
        keys: StreamKeys,
        key: Key,
        redactor: Redactor,
        trades: ToldTrades,
    ) -> None:
        self._socket = socket
        self._outlet = outlet
        self._keys = keys
        self._key = key
        self._redactor = redactor
        self._trades = trades
        self._liveness = Liveness(
            beat_seconds=endpoints.PING_SECONDS, silence_seconds=endpoints.SILENCE_SECONDS
        )
        self._answered = trio.Event()
        """Our first ping was answered."""

    async def run(self, subscriptions: Sequence[str], proven: trio.TaskStatus[None]) -> None:
        """Send `subscriptions`, report `proven`, and go on until a `StreamError`."""
        async with open_single_failure_nursery() as nursery:
            nursery.start_soon(self._read)
            nursery.start_soon(self._subscribe, subscriptions, proven)
            # Here, where else a task would only wait for the others to end.
            await self._liveness.run(self._ping)

    async def _subscribe(self, subscriptions: Sequence[str], proven: trio.TaskStatus[None]) -> None:
        """Get the stream to be live, then keep its key so."""
        for text in subscriptions:
            await self._socket.send(text)
        await self._prove()
        # Only now: the supervisor takes `started` as "nothing pushed is missed".
        proven.started()
        await self._keys.keep(self._key, self._outlet)

    async def _prove(self) -> None:
        with trio.move_on_after(endpoints.PROOF_SECONDS) as patience:
            await self._ping()
            await trio.sleep(endpoints.REFUSAL_SECONDS)
            await self._answered.wait()
        if patience.cancelled_caught:
            raise SubscriptionRefused(
                f"no pong within {endpoints.PROOF_SECONDS:.0f} s after subscribing"
            )

    async def _ping(self) -> None:
        await self._socket.send(requests.ping(str(uuid4())))

    async def _read(self) -> None:
        while True:
            received = await self._socket.receive()
            self._liveness.seen()
            self._outlet.frames_read(len(received.frames), received.received_ns)
            await self._take(received)

    async def _take(self, received: Received) -> None:
        """Hand over what the frames told, then fail if one of them was a refusal."""
        told: list[Told] = []
        refusal: StreamError | None = None
        for frame in received.frames:
            try:
                what = await self._understand(frame)
            except StreamError as error:
                refusal = refusal or error
                continue
            if what is not None:
                told.append(what)
                self._trades.note(what)
        if told:
            await self._outlet.hear(told, received.received_ns)
        if refusal is not None:
            raise refusal

    async def _understand(self, text: str | bytes) -> Told | None:
        """What a frame told; None for one that is only about the connection."""
        if isinstance(text, bytes):
            return _binary(text)
        match decode_frame(text):
            case OrderPush() | AssetPush() as push:
                return normalise_push(push, text)
            case Ping(ping_id):
                # At once: a minute without an answer, and LBank closes the socket.
                await self._socket.send(requests.pong(ping_id))
                self._outlet.alive()
            case Pong():
                self._answered.set()
                self._outlet.alive()
            case Refusal(message):
                raise self._refusal(message)
            case Unknown(reason):
                return ToldUnrecognized(reason=reason, frame=without_address(text))
        return None

    def _refusal(self, message: str) -> StreamError:
        error = refusal_by_words(self._redactor.redact(without_address(message)))
        if isinstance(error, KeyExpired):
            self._keys.drop(self._key)
        return error


def _binary(frame: bytes) -> ToldUnrecognized:
    """LBank sends text only, so nothing can be said about these bytes."""
    text = base64.b64encode(frame).decode()
    return ToldUnrecognized(reason="binary", frame=text, encoding="base64")
