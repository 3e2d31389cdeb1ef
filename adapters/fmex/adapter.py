"""One account of FMEX: the story of a stream, and the questions the house asks.

A stream: learn the venue's clock → sign a fresh URL → connect → subscribe each
topic → wait until all are confirmed → listen and ping (`stream`). FMEX says only
what changes from then on; what is missed in between is read by REST (`recovery`).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol
from urllib.parse import urlsplit

import trio

from adapters.fmex import probe, reconcile, recovery
from adapters.fmex.auth import Key, signed_headers, stream_url
from adapters.fmex.calls import Calls, Rest
from adapters.fmex.endpoints import ACCOUNTS_PATH, REST_BURST, REST_PER_SECOND, STREAM_PATH
from adapters.fmex.refusals import error_of_upgrade
from adapters.fmex.requests import STREAMS, wanted_topics
from adapters.fmex.settings import Settings
from adapters.fmex.stream import Stream
from adapters.fmex.venue_clock import VenueClock
from gateway.contracts.adapter import (
    AdapterContext,
    Finds,
    Known,
    Outlet,
    ProbeFinding,
    Purpose,
    RecoveryPlan,
    RecoveryResult,
    Transport,
)
from gateway.contracts.told import KnownOrder, Reconciled, ToldOrder
from gateway.errors import (
    ClockSkewed,
    ConnectFailed,
    ConnectionLost,
    LoginRefused,
    RateLimited,
    StreamError,
    SubscriptionRefused,
)
from gateway.telemetry.happenings import Happening, Level
from gateway.wire.rest import RestClient
from gateway.wire.websocket import WebSocket, open_websocket

CLOCK_UNREAD: Final = Happening(
    "fmex_clock_unread",
    Level.WARNING,
    "FMEX's time could not be read; the stream is signed by what is known of it.",
)

_CLOCK_SECONDS: Final = 5.0
"""How long a new connection waits for the venue's time: with REST down, the stream
can still be had."""

_SIGNATURES_KEPT: Final = 4
"""Signatures that the redactor looks for; the venue forgets them after 30 s."""


class OpenWebSocket(Protocol):
    """What is asked of `gateway.wire.websocket.open_websocket`."""

    def __call__(
        self, url: str, *, transport: Transport, proxy: str | None
    ) -> AbstractAsyncContextManager[WebSocket]:
        """Connect, and close at the end."""


class PerpetualAdapter:
    """Implements `gateway.contracts.adapter.Adapter`."""

    def __init__(
        self,
        settings: Settings,
        context: AdapterContext,
        *,
        open_websocket: OpenWebSocket = open_websocket,
        rest: Rest | None = None,
    ) -> None:
        self._settings = settings
        self._context = context
        self._open_websocket = open_websocket
        self._streams = context.options.streams or STREAMS
        self._clock = context.commons.share(
            VenueClock, settings.endpoints.rest, lambda: VenueClock(context.clock)
        )
        self._calls = Calls(
            rest if rest is not None else _open_rest(settings, context),
            sign_url=settings.endpoints.sign,
            read_key=self._read_key,
            clock=self._clock,
            redactor=context.redactor,
            wait_turn=self._request_turn,
        )
        self._signatures: list[str] = []

    # --- the stream ---------------------------------------------------------

    async def run_stream(
        self, outlet: Outlet, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """See the contract."""
        problem = None if self._clock.is_fresh else await self._learn_clock()
        async with self._connect() as websocket:
            # Not before: where nothing can be reached, that alone is worth a line.
            if problem is not None:
                CLOCK_UNREAD.emit(account=self._context.account, error=problem)
            topics = wanted_topics(self._streams, self._settings.symbols)
            redact = self._context.redactor.redact
            stream = Stream(websocket, topics, outlet, self._clock, redact=redact)
            try:
                await stream.run(task_status)
            except (ConnectionLost, SubscriptionRefused):
                if not stream.confirmed:
                    await self._check_login()
                raise

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[WebSocket]:
        context = self._context
        url = self._settings.endpoints.websocket
        # The turn comes before the signature, which would grow stale in a long queue.
        await self._turn_at(_host_of(url))
        try:
            async with self._open_websocket(
                self._signed(url), transport=context.options.transport, proxy=context.options.proxy
            ) as websocket:
                yield websocket
        except ConnectFailed as error:
            if error.status is None:
                raise
            body = context.redactor.redact(error.body)
            raise (error_of_upgrade(error.status, body) or error) from None

    async def _turn_at(self, door: str) -> None:
        context = self._context
        await context.connect_gate.wait_turn(door, context.options.connect_rate)

    async def _request_turn(self, api_key: str) -> None:
        await self._context.request_gate.wait_turn(
            _host_of(self._settings.endpoints.rest),
            api_key,
            per_second=REST_PER_SECOND,
            burst=REST_BURST,
        )

    def _signed(self, url: str) -> str:
        sign_url = self._settings.endpoints.sign.rstrip("/") + STREAM_PATH
        headers = signed_headers(self._read_key(), sign_url, self._clock.now_ms())
        self._guard(headers["FC-ACCESS-SIGNATURE"])
        return stream_url(url, headers)

    def _guard(self, signature: str) -> None:
        redactor = self._context.redactor
        redactor.add(signature)
        self._signatures.append(signature)
        if len(self._signatures) > _SIGNATURES_KEPT:
            redactor.discard([self._signatures.pop(0)])

    async def _learn_clock(self) -> str | None:
        """Ask for the venue's time; gives what is wrong where nothing was learned."""
        with trio.move_on_after(_CLOCK_SECONDS):
            try:
                await self._calls.learn_clock()
            except RateLimited:
                # The stream is at the same door, and would only ask once more.
                raise
            except StreamError as error:
                self._clock.forget_doubted()
                return str(error)
            return None
        self._clock.forget_doubted()
        return f"no answer within {_CLOCK_SECONDS:g} s"

    async def _check_login(self) -> None:
        """Trace a stream that was never confirmed: FMEX does not say whether the key is why.

        REST, asked with the same key, does. If it says nothing either, the login
        is not to blame.
        """
        try:
            await self._calls.read(ACCOUNTS_PATH)
        except (LoginRefused, ClockSkewed):
            raise
        except StreamError:
            return

    async def renew(self) -> None:
        """See the contract. Each connect signs anew; only the clock may mislead it."""
        self._clock.doubt()
        await trio.lowlevel.checkpoint()

    # --- orders and recovery ------------------------------------------------

    def plan_recovery(self, known: Known, purpose: Purpose, since_ns: int | None) -> RecoveryPlan:
        """See the contract."""
        return recovery.plan_recovery(known, purpose, since_ns, self._settings.symbols)

    async def recover(self, plan: RecoveryPlan, finds: Finds) -> RecoveryResult:
        """See the contract."""
        reading = recovery.Recovery(
            self._calls, plan, finds, streams=self._streams, clock=self._clock
        )
        result = await reading.run()
        if plan.purpose is not Purpose.ORDER:  # one order is often followed by another
            await self._calls.close_idle()
        return result

    def reconcile(self, known: KnownOrder | None, told: ToldOrder) -> Reconciled:
        """See the contract."""
        return reconcile.reconcile(known, told)

    # --- the rest -----------------------------------------------------------

    async def probe(self) -> Sequence[ProbeFinding]:
        """See the contract."""
        return await probe.probe(self._calls, self._clock, self._connect)

    def check_seconds(self) -> float | None:
        """See the contract."""
        return self._settings.recovery.every

    def clock_offset_seconds(self) -> float | None:
        """See the contract."""
        return self._clock.offset_seconds

    def key_expires_ns(self) -> int | None:
        """See the contract. FMEX's streams have no key of their own."""
        return None

    async def aclose(self) -> None:
        """See the contract."""
        await self._calls.aclose()

    def _read_key(self) -> Key:
        credentials = self._settings.credentials
        key = Key(credentials.api_key.read(), credentials.secret.read())
        self._context.redactor.add(key.api_key, key.secret)
        return key


def _host_of(url: str) -> str:
    return urlsplit(url).hostname or url


def _open_rest(settings: Settings, context: AdapterContext) -> RestClient:
    def count(result: str) -> None:
        context.metrics.cell("gateway_rest_requests", context.account, result).inc()

    return RestClient(
        settings.endpoints.rest,
        clock=context.clock,
        proxy=context.options.proxy,
        count=count,
    )
