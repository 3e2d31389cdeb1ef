"""The shared log of a cluster, as a consumer reads it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import nats
import nats.errors
import nats.js.errors
import trio
from nats.js.api import ConsumerConfig, DeliverPolicy

from gateway.simulator import Simulator
from gateway.sinks.nats.loop import LoopThread
from tests.doubles.servers.nats import USER, NatsServer
from tests.scenarios.oracle import Delivered, Verdict, judge

STREAM = "gateway-log"
READ_SECONDS = 60.0
"""A server that was asked may be killed meanwhile, or have no leader for a while."""

Trouble = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)


class Message(msgspec.Struct):
    """One event of the shared log."""

    event: dict[str, Any]
    epoch: int
    late: bool


class SharedLog(ABC):
    """All that was read of it, on whichever engine; judged page by page."""

    def __init__(self) -> None:
        self._page: list[Message] = []
        self._judged: list[Message] = []
        """Of earlier pages; their order counts still."""
        self._standing: dict[tuple[str, str, str], Delivered] = {}
        """Balances and positions as earlier pages left them: what returns to them is no news."""

    @abstractmethod
    async def read(self) -> list[Message]:
        """Read on; everything of this page, in its order."""

    async def judge(self, truths: Mapping[str, tuple[Simulator, int]]) -> Verdict:
        """Ask the oracle about this page, read as consumers are told to: by epoch and seq."""
        await self.read()
        return await trio.to_thread.run_sync(self._judge, truths)

    def _judge(self, truths: Mapping[str, tuple[Simulator, int]]) -> Verdict:
        before = len(self._judged)
        events = [*self._standing.values(), *self._as_told()]
        told = [{**one, "seq": before + number} for number, one in enumerate(events, start=1)]
        verdict = judge(told, {name: (one.truth, i) for name, (one, i) in truths.items()}, before)
        _check_order([*self._judged, *self._page], verdict)
        return verdict

    def _as_told(self) -> list[Delivered]:
        """The page as consumers are told to read it."""
        in_order = sorted(self._page, key=lambda one: (one.epoch, one.event["seq"]))
        return [one.event for one in sorted(in_order, key=lambda one: one.event["account"])]

    def turn_page(self) -> None:
        """Leave what was judged out of the next judgement, but for its order and what stands."""
        for event in self._as_told():
            kind = event["kind"]
            if kind in ("balance", "position"):
                subject = event["balance"]["asset"] if kind == "balance" else event["venue_symbol"]
                self._standing[event["account"], kind, subject] = event
        for each in self._page:
            slim = {name: each.event[name] for name in ("id", "account", "seq")}
            self._judged.append(Message(slim, each.epoch, each.late))
        self._page = []


class NatsSharedLog(SharedLog):
    """On NATS. `enter` moves the reading thread to where the servers can be reached."""

    def __init__(
        self, servers: Sequence[NatsServer], password: str, enter: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        self._servers = servers
        self._password = password
        self._enter = enter
        self._position = 0

    async def read(self) -> list[Message]:
        loop = LoopThread("log-reader")
        trouble: BaseException | None = None
        try:
            with trio.move_on_after(READ_SECONDS):
                while True:
                    try:
                        await loop.run(self._read_on())
                    except Trouble as error:
                        trouble = error
                        await trio.sleep(0.5)
                    else:
                        return self._page
        finally:
            await loop.aclose()
        raise AssertionError(f"the shared log could not be read: {trouble!r}")

    async def _read_on(self) -> None:
        if self._enter is not None:
            self._enter()
        servers = [f"nats://{one.address}" for one in self._servers]
        client = await nats.connect(servers, user=USER, password=self._password, connect_timeout=2)
        try:
            jetstream = client.jetstream()
            last = (await jetstream.stream_info(STREAM)).state.last_seq
            if last <= self._position:
                return
            config = ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._position + 1
            )
            subscription = await jetstream.subscribe(
                f"{STREAM}.*", ordered_consumer=True, config=config
            )
            while self._position < last:
                message = await subscription.next_msg(timeout=10)
                position = message.metadata.sequence.stream
                if position > self._position:  # a consumer that was made anew repeats itself
                    self._position = position
                    self._take(message.headers or {}, message.data)
        finally:
            await client.close()

    def _take(self, headers: Mapping[str, str], data: bytes) -> None:
        if "Gateway-Fence" not in headers:
            event = msgspec.json.decode(data)
            self._page.append(
                Message(event, int(headers["Gateway-Epoch"]), "Gateway-Late" in headers)
            )


def _check_order(messages: Sequence[Message], verdict: Verdict) -> None:
    """Each id once, and per account in order of epoch and seq but for what says it is late."""
    seen: set[str] = set()
    newest: dict[str, tuple[int, int]] = {}
    for each in messages:
        event = each.event
        if event["id"] in seen:
            verdict.doubled.append(f"{event['id']} stands twice in the log")
        seen.add(event["id"])
        place = (each.epoch, event["seq"])
        if each.late:
            continue
        if place < newest.get(event["account"], (0, 0)):
            verdict.disorder.append(f"{event['account']}: {place} after {newest[event['account']]}")
        newest[event["account"]] = place
