"""A venue by a third party: one stream of balances, and no REST.

Paperbank greets with ``{"hello": true}``, answers ``{"ping": 1}`` with ``{"pong": 1}``, and
sends ``{"asset": "BTC", "free": "1.50", "locked": "0"}`` whenever a balance changes.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import trio

from gateway.contracts.adapter import (
    AdapterContext,
    Finds,
    Known,
    Outlet,
    ProbeFinding,
    Purpose,
    RecoveryPlan,
    RecoveryResult,
    VenueSpec,
)
from gateway.contracts.told import KnownOrder, Reconciled, Told, ToldBalance, ToldOrder
from gateway.contracts.told import ToldUnrecognized as Unrecognized
from gateway.contracts.values import Secret
from gateway.errors import SubscriptionRefused
from gateway.events.model import Balance
from gateway.events.numbers import add, plain
from gateway.wire.keepalive import Liveness
from gateway.wire.onefailure import open_single_failure_nursery
from gateway.wire.websocket import WebSocket, open_websocket

PING_SECONDS: Final = 10
SILENCE_SECONDS: Final = 25


class PaperbankSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a Paperbank account."""

    url: str
    """Where the stream is."""
    token: Secret
    """The account's token."""


class Pushed(msgspec.Struct, frozen=True):
    """A frame, in the venue's words. Numbers are text, and stay it."""

    asset: str | None = None
    free: str = "0"
    locked: str = "0"
    hello: bool = False
    pong: int = 0


def read_frame(frame: str | bytes) -> Pushed | Unrecognized:
    """Understand a frame, or keep it whole. Never raises."""
    try:
        return msgspec.json.decode(frame, type=Pushed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Unrecognized(reason="not_understood", frame=str(frame))


def normalise(pushed: Pushed, raw: str) -> list[Told]:
    """What a frame tells, in the gateway's words."""
    if pushed.asset is None:
        return []
    free, locked = plain(pushed.free), plain(pushed.locked)
    balance = Balance(
        asset=pushed.asset.upper(), available=free, held=locked, total=add(free, locked)
    )
    return [ToldBalance(balance=balance, raw=raw)]


class Paperbank:
    """One account."""

    def __init__(self, settings: PaperbankSettings, context: AdapterContext) -> None:
        self._settings = settings
        self._context = context

    async def run_stream(
        self, outlet: Outlet, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Connect, log in, and listen until it ends, which is always by an error."""
        options = self._context.options
        liveness = Liveness(beat_seconds=PING_SECONDS, silence_seconds=SILENCE_SECONDS)
        async with (
            open_websocket(
                self._settings.url,
                transport=options.transport,
                proxy=options.proxy,
                gate=self._context.connect_gate,
                connect_rate=options.connect_rate,
            ) as websocket,
            open_single_failure_nursery() as nursery,
        ):
            await websocket.send(f'{{"token": "{self._settings.token.read()}"}}')
            greeting = read_frame((await websocket.receive()).frames[0])
            if not isinstance(greeting, Pushed) or not greeting.hello:
                raise SubscriptionRefused("Paperbank did not greet")
            nursery.start_soon(liveness.run, lambda: websocket.send('{"ping": 1}'))
            # Last: from here on the house may trust that it is told everything.
            task_status.started()
            await self._listen(websocket, outlet, liveness)

    async def _listen(self, websocket: WebSocket, outlet: Outlet, liveness: Liveness) -> None:
        while True:
            received = await websocket.receive()
            liveness.seen()
            outlet.frames_read(len(received.frames), received.received_ns)
            told: list[Told] = []
            for frame in received.frames:
                heard = read_frame(frame)
                told += [heard] if isinstance(heard, Unrecognized) else normalise(heard, str(frame))
                if isinstance(heard, Pushed) and heard.pong:
                    outlet.alive()
            if told:
                await outlet.hear(told, received.received_ns)

    def plan_recovery(self, known: Known, purpose: Purpose, since_ns: int | None) -> RecoveryPlan:
        """There is nothing to ask."""
        return RecoveryPlan(purpose=purpose, since_ns=since_ns, known=known)

    async def recover(self, plan: RecoveryPlan, finds: Finds) -> RecoveryResult:
        """Say honestly that what was missed cannot be read."""
        del plan, finds
        await trio.lowlevel.checkpoint()
        return RecoveryResult(complete=False, detail="Paperbank has no REST")

    def reconcile(self, known: KnownOrder | None, told: ToldOrder) -> Reconciled:
        """Paperbank has no orders."""
        raise NotImplementedError

    async def renew(self) -> None:
        """Nothing is kept from one connection to the next."""
        await trio.lowlevel.checkpoint()

    async def probe(self) -> Sequence[ProbeFinding]:
        """Connect once."""
        async with open_websocket(self._settings.url):
            return [ProbeFinding(what="stream", ok=True, detail=self._settings.url)]

    def check_seconds(self) -> float | None:
        """No REST, no comparison."""
        return None

    def clock_offset_seconds(self) -> float | None:
        """Paperbank tells no time."""
        return None

    def key_expires_ns(self) -> int | None:
        """A token does not lapse."""
        return None

    async def aclose(self) -> None:
        """Nothing is held between streams."""
        await trio.lowlevel.checkpoint()


def open_paperbank(settings: Any, context: AdapterContext) -> Paperbank:
    """Make the adapter of one account, without I/O."""
    context.redactor.add(settings.token.read())
    return Paperbank(settings, context)


VENUE: Final = VenueSpec(
    name="paperbank",
    title="Paperbank",
    summary="Balances of a pretend bank.",
    streams=("balances",),
    settings=PaperbankSettings,
    open=open_paperbank,
    quick_start=(
        "accounts:\n  till:\n    venue: paperbank\n    url: wss://stream.example/v1\n"
        "    token: {env: PAPERBANK_TOKEN}\n"
    ),
)
