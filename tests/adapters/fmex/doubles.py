# ruff: noqa: ARG002 - a double fulfils an interface whose real side explains it
"""A pretend FMEX inside the loop: a socket and a REST side, both steered by the test."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import trio

from adapters.fmex.adapter import PerpetualAdapter
from adapters.fmex.settings import Credentials, Settings
from gateway.contracts.adapter import AccountOptions, AdapterContext, Transport
from gateway.contracts.told import Told
from gateway.contracts.values import Secret
from gateway.errors import ConnectionLost, StreamError
from gateway.events.model import StreamReason
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import Redactor
from gateway.wire.commons import HostCommons
from gateway.wire.limits import RequestLimits
from gateway.wire.rest import Answer
from gateway.wire.websocket import Received

API_KEY = "f8wersd4sdfc7121cbdd81986aaaaaaa"
SECRET = "ebfaeef06e2e49e1bc7e535c2766bbe6"
START_NS = 1_580_802_204_000_000_000
"""2020-02-04T07:43:24Z."""


class LoopClock:
    """Wall time that runs with Trio's (virtual) clock; `skew_ns` sets it wrong."""

    def __init__(self, skew_ns: int = 0) -> None:
        self.skew_ns = skew_ns

    def now_ns(self) -> int:
        return START_NS + round(trio.current_time() * 1e9) + self.skew_ns


class Outlet:
    """Keeps what a stream hands over. `blocked` makes `hear` wait, as a full journal does."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.frames = 0
        self.proofs = 0
        self.blocked = trio.Event()
        self.blocked.set()
        self.heard = trio.Event()

    async def hear(self, told: Sequence[Told], received_ns: int) -> None:
        await self.blocked.wait()
        self.told += told
        self.heard.set()

    def frames_read(self, count: int, received_ns: int) -> None:
        self.frames += count

    def alive(self) -> None:
        self.proofs += 1

    def retire(self, reason: StreamReason, detail: str) -> None:
        raise AssertionError("nothing here retires a connection")

    async def key_renewed(self, *, replaced: bool, expires_ns: int | None, detail: str) -> None:
        raise AssertionError("FMEX has no stream key")


class Finds:
    """Keeps what a recovery hands over, call by call."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.asked_at: list[int] = []

    async def hear(self, told: Sequence[Told], received_ns: int, as_of_ns: int) -> None:
        assert as_of_ns <= received_ns
        self.told += told
        self.asked_at.append(as_of_ns)
        await trio.lowlevel.checkpoint()


class Gate:
    """Counts turns; a test may make them slow."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds
        self.hosts: list[str] = []

    async def wait_turn(self, host: str, per_second: float) -> None:
        self.hosts.append(host)
        await trio.sleep(self.seconds)


RestAnswer = tuple[int, Any] | Exception
"""HTTP status and body (bytes, or JSON to be encoded), or what the client raises."""


class MemoryRest:
    """REST by path: what stands in `answers` is given, in turn; the last one again and again."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.answers: dict[str, list[RestAnswer | Callable[[Mapping[str, str]], RestAnswer]]] = {}
        self.seconds = 0.0
        self.say("/v2/public/server-time", lambda _: (200, {"status": 0, "data": self.venue_ms()}))
        self.say("/v3/contracts/accounts", (200, {"status": 0, "data": {}}))

    def venue_ms(self) -> int:
        """The venue's clock is right."""
        return (self.clock.now_ns() - self.clock.skew_ns) // 1_000_000

    def say(
        self, path: str, *answers: RestAnswer | Callable[[Mapping[str, str]], RestAnswer]
    ) -> None:
        self.answers[path] = list(answers)

    def asked(self, path: str) -> int:
        return sum(path == asked for asked, _, _ in self.requests)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        assert method == "GET"
        sent_ns = self.clock.now_ns()
        self.requests.append((path, dict(params or {}), dict(headers or {})))
        await trio.sleep(self.seconds)
        answers = self.answers.get(path, [(404, b"")])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(params or {})
        if isinstance(answer, Exception):
            raise answer
        status, body = answer
        text = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return Answer(
            status=status,
            headers={},
            body=text,
            sent_ns=sent_ns,
            received_ns=self.clock.now_ns(),
        )

    async def close_idle(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


class PretendStream:
    """The server's end of the private socket; its attributes are the venue's moods."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.urls: list[str] = []
        self.commands: list[dict[str, Any]] = []
        self.refuse: StreamError | None = None
        self.greets = True
        self.answers_pings = True
        self.confirm: Callable[[list[str], list[str]], list[Any]] = confirm_these
        self.open = 0
        self._subscribed: list[str] = []
        self._frames, self._inbox = trio.open_memory_channel[list[str | bytes]](1000)

    @asynccontextmanager
    async def connect(
        self, url: str, *, transport: Transport, proxy: str | None
    ) -> AsyncIterator["PretendStream"]:
        self.urls.append(url)
        await trio.lowlevel.checkpoint()
        if self.refuse is not None:
            raise self.refuse
        self._subscribed = []
        self._frames, self._inbox = trio.open_memory_channel[list[str | bytes]](1000)
        self.open += 1
        if self.greets:
            self.push({"type": "hello", "ts": self.venue_ms()})
        try:
            yield self
        finally:
            self.open -= 1

    def query(self) -> dict[str, str]:
        """What the last connection's URL carried."""
        return {key: value[0] for key, value in parse_qs(urlsplit(self.urls[-1]).query).items()}

    def venue_ms(self) -> int:
        return (self.clock.now_ns() - self.clock.skew_ns) // 1_000_000

    def push(self, *frames: Any) -> None:
        """Send frames, as one bundle: text and bytes as they are, all else as JSON."""
        self._frames.send_nowait(
            [each if isinstance(each, str | bytes) else _json(each) for each in frames]
        )

    def hang_up(self) -> None:
        self._frames.close()

    # --- the client's end ---------------------------------------------------

    async def receive(self) -> Received:
        try:
            frames = await self._inbox.receive()
        except trio.EndOfChannel:
            raise ConnectionLost("closed by the peer") from None
        return Received(frames=frames, received_ns=self.clock.now_ns())

    async def send(self, text: str) -> None:
        command = msgspec.json.decode(text)
        self.commands.append(command)
        await trio.lowlevel.checkpoint()
        match command["cmd"]:
            case "ping" if self.answers_pings:
                now = self.venue_ms()
                gap = now - command["args"][0]
                self.push({"id": command["id"], "type": "ping", "ts": now, "gap": gap})
            case "sub":
                self._subscribed += command["args"]
                for frame in self.confirm(command["args"], self._subscribed):
                    self.push(frame)


def confirm_these(asked: list[str], _all: list[str]) -> list[Any]:
    """The answer lists the topics of its command."""
    return [{"type": "topics", "topics": asked}]


def confirm_all(_asked: list[str], all_: list[str]) -> list[Any]:
    """The answer lists all topics of the connection."""
    return [{"type": "topics", "topics": all_}]


class Venue:
    """The pretend exchange, and an adapter that talks to it."""

    def __init__(
        self,
        *,
        symbols: tuple[str, ...] = ("btcusd_p",),
        streams: tuple[str, ...] = (),
        skew_ns: int = 0,
        gate: Gate | None = None,
        rest: MemoryRest | None = None,
        commons: HostCommons | None = None,
    ) -> None:
        self.clock = LoopClock(skew_ns)
        self.rest = rest or MemoryRest(self.clock)
        self.socket = PretendStream(self.clock)
        self.gate = gate or Gate()
        self.redactor = Redactor()
        self.metrics = Metrics()
        self.adapter = PerpetualAdapter(
            Settings(
                credentials=Credentials(api_key=Secret.of(API_KEY), secret=Secret.of(SECRET)),
                symbols=symbols,
            ),
            AdapterContext(
                account="fmex-hedge",
                options=AccountOptions(venue="fmex", streams=streams),
                clock=self.clock,
                metrics=self.metrics,
                redactor=self.redactor,
                connect_gate=self.gate,
                request_gate=RequestLimits(),
                commons=commons or HostCommons(),
            ),
            open_websocket=self.socket.connect,
            rest=self.rest,
        )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
