"""A venue by a third party: one stream of balances, and one REST call that reads them all.

The stream greets with ``{"hello": true}``, answers ``{"ping": 1}`` with ``{"pong": 1}``, and
sends ``{"asset": "BTC", "free": "1.50", "locked": "0"}`` whenever a balance changes.
``GET /balances`` answers with a list of the same.
"""

from base64 import b64encode
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import msgspec
import trio

from gateway.contracts.adapter import (
    DEFAULT_CHECK_SECONDS,
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
from gateway.contracts.told import (
    ZERO_MARK,
    KnownOrder,
    Reconciled,
    Told,
    ToldBalance,
    ToldOrder,
    ToldUnrecognized,
)
from gateway.contracts.values import Secret
from gateway.errors import LoginRefused, StreamError, SubscriptionRefused, VenueUnavailable
from gateway.events.model import Balance
from gateway.events.numbers import NumberError, add, plain
from gateway.wire.keepalive import Liveness
from gateway.wire.messages import Received
from gateway.wire.onefailure import open_single_failure_nursery
from gateway.wire.rest import Answer, RestClient
from gateway.wire.websocket import WebSocket, open_websocket

PING_SECONDS: Final = 10
SILENCE_SECONDS: Final = 25


class PaperbankSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a Paperbank account."""

    url: str
    """Where the stream is."""
    rest: str
    """Where the balances are read."""
    token: Secret
    """The account's token."""


class Frame(msgspec.Struct, frozen=True):
    """A frame of the stream or a row of REST, in the venue's words. Numbers are text."""

    asset: str | None = None
    free: str = "0"
    locked: str = "0"
    hello: bool = False
    pong: int = 0


def read_frame(text: str | bytes) -> Frame | None:
    """Understand a frame, or not. Never raises."""
    try:
        return msgspec.json.decode(text, type=Frame)
    except (msgspec.DecodeError, UnicodeError):
        return None


def normalise(text: str | bytes) -> list[Told]:
    """What a frame tells, in the gateway's words; what is not understood is kept whole."""
    if isinstance(text, bytes):
        kept = b64encode(text).decode()
        return [ToldUnrecognized(reason="binary", frame=kept, encoding="base64")]
    frame = read_frame(text)
    if frame is None:
        return [ToldUnrecognized(reason="not_understood", frame=text)]
    if frame.asset is None:
        return []
    try:
        free, locked = plain(frame.free), plain(frame.locked)
    except NumberError:
        return [ToldUnrecognized(reason="bad_number", frame=text)]
    balance = Balance(
        asset=frame.asset.upper(), available=free, held=locked, total=add(free, locked)
    )
    return [ToldBalance(balance=balance, raw=text)]


class Paperbank:
    """One account."""

    def __init__(self, settings: PaperbankSettings, context: AdapterContext) -> None:
        self._settings = settings
        self._context = context
        self._rest = RestClient(
            settings.rest, clock=context.clock, proxy=context.options.proxy, count=self._count
        )

    async def run_stream(
        self, outlet: Outlet, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Connect, log in, and listen until it ends, which is always by an error."""
        liveness = Liveness(beat_seconds=PING_SECONDS, silence_seconds=SILENCE_SECONDS)
        async with self._connect() as websocket, open_single_failure_nursery() as nursery:
            await websocket.send(f'{{"token": "{self._settings.token.read()}"}}')
            received = await websocket.receive()
            _check_greeting(received.frames[0])
            nursery.start_soon(liveness.run, lambda: websocket.send('{"ping": 1}'))
            # Last: from here on the house may trust that it is told everything.
            task_status.started()
            while True:
                # What arrives together comes together: the first balances may stand
                # right behind the greeting.
                await self._hear(received, outlet)
                received = await websocket.receive()
                liveness.seen()

    def _connect(self) -> AbstractAsyncContextManager[WebSocket]:
        options = self._context.options
        return open_websocket(
            self._settings.url,
            transport=options.transport,
            proxy=options.proxy,
            gate=self._context.connect_gate,
            connect_rate=options.connect_rate,
        )

    async def _hear(self, received: Received, outlet: Outlet) -> None:
        outlet.frames_read(len(received.frames), received.received_ns)
        told = [each for frame in received.frames for each in normalise(frame)]
        if told:
            await outlet.hear(told, received.received_ns)

    def plan_recovery(self, known: Known, purpose: Purpose, since_ns: int | None) -> RecoveryPlan:
        """There is one thing to ask, whatever for."""
        return RecoveryPlan(purpose=purpose, since_ns=since_ns, known=known)

    async def recover(self, plan: RecoveryPlan, finds: Finds) -> RecoveryResult:
        """Read every balance, then say what could not be proven.

        The last state of each asset is all that is promised, so one answer proves it,
        unless an asset that was known is no longer listed.
        """
        answer = await self._ask_balances()
        told = [each for row in _rows(answer) for each in normalise(row)]
        await finds.hear(told, answer.received_ns, answer.sent_ns)
        listed = {each.balance.asset for each in told if isinstance(each, ToldBalance)}
        missing = sorted(set(plan.known.assets) - listed)
        detail = f"Paperbank does not list {', '.join(missing)}" if missing else ""
        return RecoveryResult(complete=not missing, detail=detail)

    async def _ask_balances(self) -> Answer:
        headers = {"Authorization": f"Bearer {self._settings.token.read()}"}
        answer = await self._rest.request("GET", "/balances", headers=headers)
        if answer.status in (401, 403):
            raise LoginRefused("Paperbank refuses the token; make a new one on its settings page")
        if answer.status != 200:
            raise VenueUnavailable(f"Paperbank answered {answer.status}")
        return answer

    def _count(self, result: str) -> None:
        context = self._context
        context.metrics.cell("gateway_rest_requests", context.account, result).inc()

    def reconcile(self, known: KnownOrder | None, told: ToldOrder) -> Reconciled:
        """Take an order as it is told; Paperbank tells of none."""
        return Reconciled(order=told.order, mark=ZERO_MARK if known is None else known.mark)

    async def renew(self) -> None:
        """Nothing is kept from one connection to the next."""
        await trio.lowlevel.checkpoint()

    async def probe(self) -> Sequence[ProbeFinding]:
        """Open the stream once, and read the balances once."""
        return [await self._probe_stream(), await self._probe_token()]

    async def _probe_stream(self) -> ProbeFinding:
        try:
            async with self._connect():
                return ProbeFinding(what="stream", ok=True, detail="the stream opens")
        except StreamError as error:
            return ProbeFinding(what="stream", ok=False, detail=str(error))

    async def _probe_token(self) -> ProbeFinding:
        try:
            await self._ask_balances()
        except StreamError as error:
            return ProbeFinding(what="credentials", ok=False, detail=str(error))
        return ProbeFinding(what="credentials", ok=True, detail="the token may read balances")

    def check_seconds(self) -> float | None:
        """How often a quiet account is compared with REST."""
        return DEFAULT_CHECK_SECONDS

    def clock_offset_seconds(self) -> float | None:
        """Paperbank tells no time."""
        return None

    def key_expires_ns(self) -> int | None:
        """A token does not lapse."""
        return None

    async def aclose(self) -> None:
        """Close the connections of REST."""
        await self._rest.aclose()


def _check_greeting(text: str | bytes) -> None:
    frame = read_frame(text)
    if frame is None or not frame.hello:
        raise SubscriptionRefused("Paperbank did not greet")


def _rows(answer: Answer) -> list[str]:
    try:
        rows = msgspec.json.decode(answer.body, type=list[msgspec.Raw])
        return [str(row, "utf-8") for row in rows]
    except (msgspec.DecodeError, UnicodeError) as error:
        raise VenueUnavailable("Paperbank answered something else than a list") from error


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
        "    rest: https://api.example\n    token: {env: PAPERBANK_TOKEN}\n"
    ),
)
