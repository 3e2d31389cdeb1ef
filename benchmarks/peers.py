"""What the gateway is compared with, each in a process of its own.

``bare``: one task per connection that only receives, by either library. ``ccxt``:
`watch_orders` in a loop, neither stored nor delivered. Both print a line when they
listen and a JSON object when they have had everything.
"""

import asyncio
import json
import math
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import trio

from adapters.fmex.auth import Key, signed_headers, stream_url
from gateway.wire.messages import RECEIVE_BYTES
from gateway.wire.websocket import open_websocket

LAST_STATE = "b1a57000-0000-4000-8000-%012x"
"""Order ids of a blast, counted from zero (`adapters/lbank/simulator/venue.py`)."""


SILENCE_SECONDS: Final = 5.0
"""When nothing was reported for so long, the rest is not reported at all."""


class Bare:
    """Receives so many frames over so many connections, and does nothing with them."""

    def __init__(self, url: str, transport: str, connections: int, frames: int, key: str) -> None:
        self._url = url
        self._transport = transport
        self._key = key
        self._connections = self._to_connect = connections
        self._total = self._left = connections * frames
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Until every frame has come."""
        listen = self._by_library if self._transport == "trio-websocket" else self._by_protocol
        with self._scope:
            async with trio.open_nursery() as nursery:
                for _ in range(self._connections):
                    nursery.start_soon(listen, self._login())

    def _login(self) -> str:
        if not self._key:
            return self._url  # LBank logs in by a frame, and blasts without
        api_key, secret = self._key.split(":")
        signed = self._url.replace("ws:", "http:", 1)
        now_ms = time.time_ns() // 1_000_000
        return stream_url(self._url, signed_headers(Key(api_key, secret), signed, now_ms))

    async def _by_library(self, url: str) -> None:
        from trio_websocket import open_websocket_url

        # The larger queue and reads are what its documentation offers for throughput.
        async with open_websocket_url(
            url, message_queue_size=1000, receive_buffer_size=RECEIVE_BYTES
        ) as socket:
            self._connected()
            while True:
                self._count(1 if is_push(await socket.get_message()) else 0)

    async def _by_protocol(self, url: str) -> None:
        async with open_websocket(url, transport="websockets") as socket:
            self._connected()
            while True:
                self._count(sum(map(is_push, (await socket.receive()).frames)))

    def _connected(self) -> None:
        self._to_connect -= 1
        if not self._to_connect:
            say("listening")

    def _count(self, pushes: int) -> None:
        self._left -= pushes
        if pushes and self._left <= 0:
            finish(self._total)
            self._scope.cancel()


def is_push(text: Any) -> bool:
    """Whether a frame is one of the blast: pings and greetings are short."""
    return len(text) > 120


async def ccxt(rest: str, websocket: str, keys: Sequence[str], frames: int) -> None:
    """Watch the orders of each account until all were reported, or nothing comes any more."""
    watch = CcxtWatch(frames * len(keys))
    exchanges = [open_ccxt(rest, websocket, key) for key in keys]
    try:
        for exchange in exchanges:
            await exchange.load_markets()
        tasks = [asyncio.create_task(watch.follow(exchange)) for exchange in exchanges]
        await asyncio.sleep(1 + len(keys) / 50)  # ccxt does not tell when it has subscribed
        say("listening")
        await watch.until_all()
        finish(len(watch.shown), at=watch.at)
        for task in tasks:
            task.cancel()
    finally:
        for exchange in exchanges:
            await exchange.close()


def open_ccxt(rest: str, websocket: str, key: str) -> Any:
    """A client of the pretend LBank."""
    import ccxt.pro

    api_key, secret = key.split(":")
    exchange = ccxt.pro.lbank({"apiKey": api_key, "secret": secret})
    exchange.urls["api"].update({"rest": rest, "contract": rest, "ws": websocket})
    return exchange


class CcxtWatch:
    """Which states of which orders were reported, and when the last of them was."""

    def __init__(self, total: int) -> None:
        self.shown: set[tuple[str, float, str]] = set()
        self.at = math.inf
        self._total = total
        self._all = asyncio.Event()

    async def follow(self, exchange: Any) -> None:
        """Note what an account's watch reports."""
        while True:
            orders = await exchange.watch_orders("ETH/BTC")
            self.shown.update((each["id"], each["filled"], each["status"]) for each in orders)
            self.at = time.monotonic()
            if len(self.shown) >= self._total:
                self._all.set()

    async def until_all(self) -> None:
        """Wait until all were reported, or none for a while."""
        while not self._all.is_set() and time.monotonic() < self.at + SILENCE_SECONDS:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all.wait(), 0.1)


def say(text: str) -> None:
    """One line to whoever started this."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def finish(shown: int, *, at: float | None = None) -> None:
    """The result; `at`, if the last frame came some time ago."""
    now = time.monotonic() if at is None else at
    say(json.dumps({"at": now, "cpu": time.process_time(), "shown": shown}))


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    if kind == "bare":
        url, transport, connections, frames, key = arguments
        trio.run(Bare(url, transport, int(connections), int(frames), key).run)
    else:
        rest, websocket, frames, *keys = arguments
        asyncio.run(ccxt(rest, websocket, keys, int(frames)))
