"""A small LBank in memory: keys, socket and REST rows, on Trio's clock alone.

It shares no code with the adapter. Where `autojump_clock` moves the time, nothing
here waits for a thread or a real socket.
"""

# ruff: noqa: ARG002 - doubles take the arguments of what they stand for

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import trio

from adapters.lbank.adapter import SpotAdapter, Surroundings
from adapters.lbank.settings import Credentials, Settings
from gateway.contracts.adapter import AccountOptions, AdapterContext, Commons
from gateway.contracts.told import Told
from gateway.contracts.values import Secret
from gateway.errors import ConnectionLost
from gateway.events.model import StreamReason
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import Redactor
from gateway.wire.commons import HostCommons
from gateway.wire.limits import RequestLimits
from gateway.wire.messages import Received
from gateway.wire.onefailure import open_single_failure_nursery
from gateway.wire.rest import Answer

START_NS = 1_700_000_000 * 10**9
API_KEY = "c821db84-6fbd-11e4-a9e3-c86000d26d7c"
SECRET = "0123456789ABCDEF0123456789ABCDEF"
KEY_LIFE_SECONDS = 3600


class TrioWallClock:
    """Wall time that follows Trio's clock."""

    def __init__(self) -> None:
        self.wrong_by_ns = 0

    def now_ns(self) -> int:
        return START_NS + int(trio.current_time() * 1e9) + self.wrong_by_ns


class Socket:
    """Our end of an in-memory connection; the pretend venue holds the other."""

    def __init__(self, venue: "PretendLBank") -> None:
        self._venue = venue
        self._send, self._receive = trio.open_memory_channel[str | bytes](1000)
        self.sent: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.lost: str | None = None

    async def receive(self) -> Received:
        try:
            frames = [await self._receive.receive()]
        except trio.EndOfChannel:
            raise ConnectionLost(self.lost or "closed") from None
        while True:
            try:
                frames.append(self._receive.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        return Received(frames, self._venue.clock.now_ns())

    async def send(self, text: str) -> None:
        await trio.lowlevel.checkpoint()
        frame = json.loads(text)
        self.sent.append(frame)
        self._venue.hears(self, frame)

    def push(self, frame: Any) -> None:
        """Let the venue say something."""
        self._send.send_nowait(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    def cut(self, why: str = "cut") -> None:
        """Let the venue close the connection."""
        self.lost = why
        self._send.close()


class PretendLBank:
    """The venue: scripted where a test wants trouble, otherwise as documented."""

    def __init__(self) -> None:
        self.clock = TrioWallClock()
        self.sockets: list[Socket] = []
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.keys: dict[str, float] = {}
        """Stream key → when it lapses, by Trio's clock."""
        self.answers: dict[str, Callable[[Mapping[str, str]], Any]] = {}
        """Path → what to answer; an exception is raised, bytes are sent as they are."""
        self.missing: set[str] = set()
        """Paths that are answered by a web page and 404."""
        self.refresh_script: list[str] = []
        """What the next refreshes meet: refused, failing, html, hanging, or good."""
        self.get_script: list[Any] = []
        self.mute = False
        """True: pings are not answered."""
        self.on_subscribe: Callable[[Socket, dict[str, Any]], None] = lambda *_: None
        self._made = 0

    # --- socket ------------------------------------------------------------------

    @asynccontextmanager
    async def open_websocket(self, url: str, **_options: Any) -> AsyncIterator[Socket]:
        await trio.lowlevel.checkpoint()
        socket = Socket(self)
        self.sockets.append(socket)
        try:
            yield socket
        finally:
            self.sockets.remove(socket)

    def hears(self, socket: Socket, frame: dict[str, Any]) -> None:
        if frame["action"] == "ping" and not self.mute:
            socket.push({"action": "pong", "pong": frame["ping"]})
        if frame["action"] == "subscribe":
            socket.keys.add(frame["subscribeKey"])
            self.on_subscribe(socket, frame)

    # --- REST ----------------------------------------------------------------------

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        form = form or {}
        self.asked.append((path, form))
        sent_ns = self.clock.now_ns()
        await trio.sleep(0.01)
        if path in self.missing:
            return Answer(404, {}, b"<html>Not Found</html>", sent_ns, self.clock.now_ns())
        body = await self._answer(path, form)
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return Answer(200, {}, body, sent_ns, self.clock.now_ns())

    async def close_idle(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

    async def _answer(self, path: str, form: Mapping[str, str]) -> Any:
        if path in self.answers:
            answer = self.answers[path](form)
            if isinstance(answer, Exception):
                raise answer
            return answer
        match path.rpartition("/")[2]:
            case "timestamp.do":
                return {"result": "true", "data": self.venue_ms(), "error_code": 0}
            case "get_key.do":
                return self._get_key()
            case "refresh_key.do":
                return await self._refresh(form["subscribeKey"])
            case "destroy_key.do":
                self.keys.pop(form["subscribeKey"], None)
                return {"result": "true"}
        return {"result": "true", "data": {"orders": []}, "error_code": 0}

    def venue_ms(self) -> int:
        return (self.clock.now_ns() - self.clock.wrong_by_ns) // 10**6

    def _get_key(self) -> Any:
        if self.get_script:
            return self.get_script.pop(0)
        self._made += 1
        key = f"{self._made:064x}"
        self.keys[key] = trio.current_time() + KEY_LIFE_SECONDS
        return {"result": True, "data": key, "error_code": 0, "ts": self.venue_ms()}

    async def _refresh(self, key: str) -> Any:
        manner = self.refresh_script.pop(0) if self.refresh_script else "good"
        match manner:
            case "hanging":
                await trio.sleep_forever()
            case "html":
                return b"<html>busy</html>"
            case "failing":
                return {"result": "false", "error_code": 10000, "msg": "Internal error"}
            case "refused":
                self.keys.pop(key, None)
        if self.keys.get(key, 0) <= trio.current_time():
            return {"result": "false"}
        self.keys[key] = trio.current_time() + KEY_LIFE_SECONDS
        return {"result": "true"}


class MemoryOutlet:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._heard = trio.Event()
        self.frames = 0
        self.proofs = 0
        self.renewals: list[bool] = []
        self.retired: list[StreamReason] = []
        self.on_retire: Callable[[], None] = lambda: None

    async def hear(self, told: Sequence[Told], received_ns: int) -> None:
        await trio.lowlevel.checkpoint()
        self.told += told
        self._heard.set()
        self._heard = trio.Event()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds after something was heard."""
        while not condition():
            await self._heard.wait()

    def frames_read(self, count: int, received_ns: int) -> None:
        self.frames += count

    def alive(self) -> None:
        self.proofs += 1

    def retire(self, reason: StreamReason, detail: str) -> None:
        self.retired.append(reason)
        self.on_retire()

    async def key_renewed(self, *, replaced: bool, expires_ns: int | None, detail: str) -> None:
        await trio.lowlevel.checkpoint()
        self.renewals.append(replaced)


class MemoryFinds:
    """Keeps what a recovery told."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.as_of_ns: list[int] = []

    async def hear(self, told: Sequence[Told], received_ns: int, as_of_ns: int) -> None:
        await trio.lowlevel.checkpoint()
        self.told += told
        self.as_of_ns.append(as_of_ns)


async def live_then(adapter: SpotAdapter, act: Callable[[], None]) -> None:
    """Run a stream, do `act` once it is live, and let it come to its end."""
    async with open_single_failure_nursery() as nursery:
        await nursery.start(adapter.run_stream, MemoryOutlet())
        act()


class NoGate:
    """Lets everybody through."""

    async def wait_turn(self, host: str, per_second: float) -> None:
        await trio.lowlevel.checkpoint()


def settings_of(**changes: Any) -> Settings:
    """Settings with made-up credentials."""
    credentials = Credentials(api_key=Secret.of(API_KEY), secret=Secret.of(SECRET))
    return msgspec.structs.replace(Settings(credentials=credentials), **changes)


def context_of(venue: PretendLBank, **options: Any) -> AdapterContext:
    """What the house would hand to the adapter."""
    return AdapterContext(
        account="main",
        options=AccountOptions(venue="lbank", **options),
        clock=venue.clock,
        metrics=Metrics(),
        redactor=Redactor(),
        connect_gate=NoGate(),
        request_gate=RequestLimits(),
        commons=HostCommons(),
    )


def adapter_on(
    venue: PretendLBank,
    settings: Settings | None = None,
    elapsed: Callable[[], float] = lambda: 0.0,
    commons: Commons | None = None,
    **options: Any,
) -> SpotAdapter:
    """An adapter that has only `venue` around it."""
    surroundings = Surroundings(open_websocket=venue.open_websocket, rest=venue, elapsed=elapsed)
    context = context_of(venue, **options)
    if commons is not None:
        context = msgspec.structs.replace(context, commons=commons)
    return SpotAdapter(settings or settings_of(), context, surroundings)
