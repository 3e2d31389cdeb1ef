"""Clients of the simulators, written from the exchanges' documents for tests alone.

They speak over memory streams, so that hours pass in no time (`autojump_clock`),
and sign by code of their own: nothing of the adapters, nothing of the dialects.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import h11
import trio
import trio.testing
import trio_websocket

from adapters.fmex.simulator import SIMULATOR as FMEX
from adapters.lbank.simulator import SIMULATOR as LBANK
from gateway.simulator import QUIET, Scenario, Simulator, open_simulator

EPOCH_NS = 1_600_000_000 * 10**9


class RunClock:
    """Wall time that goes with Trio's clock, virtual or not; the same for venue and client."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970."""
        return EPOCH_NS + round(trio.current_time() * 1e9)


CLOCK = RunClock()
MAX_ANSWER_BYTES = 2**20
LBANK_ECHO = "P3LHfw6tUIYWc8R2VQNy0ilKmdg5pjhbxC7"


class Answer:
    """One HTTP answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        """The decoded body, floats and all."""
        return json.loads(self.body)


async def ask(
    simulator: Simulator,
    method: str,
    target: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """One request on a connection of its own."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(simulator.serve, theirs)
        answer = await _exchange(ours, method, target, headers or {}, body)
        await ours.aclose()
    return answer


async def _exchange(
    stream: trio.abc.Stream, method: str, target: str, headers: dict[str, str], body: bytes
) -> Answer:
    client = h11.Connection(h11.CLIENT)
    sent = {"host": "simulator.test", "content-length": str(len(body)), **headers}
    request = h11.Request(method=method, target=target, headers=list(sent.items()))
    await stream.send_all(client.send(request) or b"")
    await stream.send_all((client.send(h11.Data(data=body)) or b"") if body else b"")
    client.send(h11.EndOfMessage())
    head, received = None, b""
    while True:
        event = client.next_event()
        if event is h11.NEED_DATA:
            client.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            received += event.data
            assert len(received) < MAX_ANSWER_BYTES
        else:
            assert head is not None
            told = {name.decode(): value.decode() for name, value in head.headers}
            return Answer(head.status_code, told, received)


@asynccontextmanager
async def connected(
    simulator: Simulator, target: str
) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    """A WebSocket connection by its path and query."""
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(simulator.serve, theirs)
        connection = await trio_websocket.wrap_client_stream(
            nursery, ours, "simulator.test", target, max_message_size=2**30
        )
        yield connection
        nursery.cancel_scope.cancel()


async def hear(connection: trio_websocket.WebSocketConnection, seconds: float = 2.0) -> list[Any]:
    """Everything that comes within a while; text frames decoded."""
    frames: list[Any] = []
    with trio.move_on_after(seconds):
        while True:
            frame = await connection.get_message()
            frames.append(json.loads(frame) if isinstance(frame, str) else frame)
    return frames


class LbankClient:
    """An account of the pretend LBank."""

    def __init__(self, simulator: Simulator, account: int = 0) -> None:
        self.simulator = simulator
        self.api_key, self.secret = simulator.credentials[account]

    async def post(self, path: str, *, late_ms: int = 0, **parameters: str) -> Any:
        """A signed v2 request; gives the decoded answer."""
        now = CLOCK.now_ns() // 1_000_000 - late_ms
        extras = {
            "timestamp": str(now),
            "signature_method": "HmacSHA256",
            "echostr": LBANK_ECHO,
        }
        form = {"api_key": self.api_key, **parameters}
        everything = sorted({**form, **extras}.items())
        joined = "&".join(f"{name}={value}" for name, value in everything)
        digest = hashlib.md5(joined.encode()).hexdigest().upper()
        sign = hmac.new(self.secret.encode(), digest.encode(), hashlib.sha256).hexdigest()
        return await self._send(path, {**form, "sign": sign}, extras)

    async def post_v1(self, path: str, **parameters: str) -> Any:
        """A v1 request, signed by MD5 as before 2018-08."""
        form = {"api_key": self.api_key, **parameters}
        joined = "&".join(f"{name}={value}" for name, value in sorted(form.items()))
        text = f"{joined}&secret_key={self.secret}"
        return await self._send(
            path, {**form, "sign": hashlib.md5(text.encode()).hexdigest().upper()}, {}
        )

    async def _send(self, path: str, form: dict[str, str], extras: dict[str, str]) -> Any:
        headers = {"content-type": "application/x-www-form-urlencoded", **extras}
        body = urlencode(form).encode()
        return (await ask(self.simulator, "POST", path, headers=headers, body=body)).json

    async def get_key(self) -> str:
        """A new stream key."""
        answer = await self.post("/v2/subscribe/get_key.do")
        key: str = answer["data"]
        return key

    @asynccontextmanager
    async def stream(
        self, key: str | None = None, pair: str = "all"
    ) -> AsyncIterator[trio_websocket.WebSocketConnection]:
        """A connection that follows orders and balances."""
        key = await self.get_key() if key is None else key
        async with connected(self.simulator, "/ws/V2/") as connection:
            for topic in ("orderUpdate", "assetUpdate"):
                message = {"action": "subscribe", "subscribe": topic, "subscribeKey": key}
                await connection.send_message(json.dumps({**message, "pair": pair}))
            # The pong shows that both subscribes were read.
            await connection.send_message('{"action":"ping","ping":"ready"}')
            yield connection


class FmexClient:
    """An account of the pretend FMEX."""

    def __init__(self, simulator: Simulator, account: int = 0) -> None:
        self.simulator = simulator
        self.api_key, self.secret = simulator.credentials[account]

    def sign(self, text: str) -> str:
        """FMEX's signature."""
        message = base64.b64encode(text.encode())
        digest = hmac.new(self.secret.encode(), message, hashlib.sha1).digest()
        return base64.b64encode(digest).decode()

    def login(self, *, late_ms: int = 0) -> str:
        """Path and query of a signed address."""
        now = str(CLOCK.now_ns() // 1_000_000 - late_ms)
        query = {
            "FC-ACCESS-KEY": self.api_key,
            "FC-ACCESS-TIMESTAMP": now,
            "FC-ACCESS-SIGNATURE": self.sign(f"GEThttps://api.fmex.com/v2/user/ws{now}"),
        }
        return f"/v2/user/ws?{urlencode(query)}"

    async def get(self, target: str) -> Answer:
        """A signed GET."""
        return await self._send("GET", target, b"", "")

    async def post(self, target: str, fields: dict[str, Any]) -> Answer:
        """A signed POST of JSON."""
        text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
        return await self._send("POST", target, json.dumps(fields).encode(), text)

    async def _send(self, method: str, target: str, body: bytes, text: str) -> Answer:
        now = str(CLOCK.now_ns() // 1_000_000)
        headers = {
            "FC-ACCESS-KEY": self.api_key,
            "FC-ACCESS-TIMESTAMP": now,
            "FC-ACCESS-SIGNATURE": self.sign(f"{method}https://api.fmex.com{target}{now}{text}"),
        }
        return await ask(self.simulator, method, target, headers=headers, body=body)

    @asynccontextmanager
    async def connected(
        self, *, late_ms: int = 0
    ) -> AsyncIterator[trio_websocket.WebSocketConnection]:
        """A connection that has asked to follow everything."""
        async with connected(self.simulator, self.login(late_ms=late_ms)) as connection:
            topics = ["account", "order.btcusd_p", "position.btcusd_p"]
            await connection.send_message(json.dumps({"cmd": "sub", "args": topics}))
            yield connection

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[trio_websocket.WebSocketConnection]:
        """A connection that follows everything; hello and topics are read."""
        async with self.connected() as connection:
            assert json.loads(await connection.get_message())["type"] == "hello"
            assert json.loads(await connection.get_message())["type"] == "topics"
            yield connection


@asynccontextmanager
async def followed_lbank(
    scenario: Scenario = QUIET,
) -> AsyncIterator[tuple[Simulator, trio_websocket.WebSocketConnection]]:
    """A pretend LBank whose first account is followed; the first pong is read."""
    async with (
        open_simulator(LBANK, scenario=scenario, clock=CLOCK) as simulator,
        LbankClient(simulator).stream() as stream,
    ):
        assert json.loads(await stream.get_message())["action"] == "pong"
        yield simulator, stream


@asynccontextmanager
async def followed_fmex(
    scenario: Scenario = QUIET,
) -> AsyncIterator[tuple[Simulator, trio_websocket.WebSocketConnection]]:
    """A pretend FMEX whose first account is followed."""
    async with (
        open_simulator(FMEX, scenario=scenario, clock=CLOCK) as simulator,
        FmexClient(simulator).stream() as stream,
    ):
        yield simulator, stream
