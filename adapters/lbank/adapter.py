"""One LBank account: the story, in order.

1. `run_stream` takes a stream key (REST), opens the socket, subscribes with the key,
   proves the subscription, and carries frames until something ends (`stream`, `keys`).
2. After each gap the house asks `plan_recovery` what to read, and `recover` reads it
   by REST (`recovery`, `rows`).
3. For each order report the house asks `reconcile` to complete it from what is known.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol
from urllib.parse import urlsplit

import msgspec
import trio

from adapters.lbank import endpoints, requests
from adapters.lbank.calls import Calls, Rest
from adapters.lbank.endpoints import Paths
from adapters.lbank.keys import Renewal, StreamKeys
from adapters.lbank.lists import Lists
from adapters.lbank.probe import Probe
from adapters.lbank.reconcile import reconcile
from adapters.lbank.recovery import Recovery, Scope, plan_recovery
from adapters.lbank.settings import Settings
from adapters.lbank.stream import Stream
from adapters.lbank.told_trades import ToldTrades
from adapters.lbank.venue_clock import VenueClock
from gateway.contracts.adapter import (
    AdapterContext,
    ConnectGate,
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
from gateway.errors import StreamError
from gateway.telemetry.happenings import Happening, Level
from gateway.wire.pauses import boot_seconds
from gateway.wire.rest import RestClient
from gateway.wire.websocket import WebSocket, open_websocket

KEY_NOT_DESTROYED: Final = Happening(
    "lbank_key_not_destroyed",
    Level.INFO,
    "The stream key could not be closed at shutdown; it lapses by itself.",
)


class OpenWebSocket(Protocol):
    """What is asked of `gateway.wire.websocket.open_websocket`."""

    def __call__(
        self,
        url: str,
        *,
        transport: Transport,
        proxy: str | None,
        gate: ConnectGate | None,
        connect_rate: float,
    ) -> AbstractAsyncContextManager[WebSocket]:
        """Connect, and close at the end."""


class Surroundings(msgspec.Struct, frozen=True):
    """What an account touches outside of this process; a test brings its own."""

    open_websocket: OpenWebSocket = open_websocket
    rest: Rest | None = None
    """By default a `RestClient` for the configured endpoint."""
    elapsed: Callable[[], float] = boot_seconds
    """A clock that goes on while the machine sleeps."""


class SpotAdapter:
    """Implements `gateway.contracts.adapter.Adapter`."""

    def __init__(
        self,
        settings: Settings,
        context: AdapterContext,
        surroundings: Surroundings = Surroundings(),  # noqa: B008  # frozen
    ) -> None:
        self._settings = settings
        self._context = context
        self._surroundings = surroundings
        self._scope = Scope(context.options.streams)
        self._paths = Paths(settings.endpoints.api)
        self._clock = context.commons.share(
            VenueClock,
            settings.endpoints.rest,
            lambda: VenueClock(context.clock, surroundings.elapsed),
        )
        rest = surroundings.rest or _rest_client(settings, context)
        self._rest_host = urlsplit(settings.endpoints.rest).hostname or settings.endpoints.rest
        self._calls = Calls(settings, rest, self._clock, context.redactor, self._request_turn)
        self._told_trades = ToldTrades()
        self._lists = Lists(self._calls, self._paths, settings.endpoints.api)
        self._keys = StreamKeys(
            self._calls,
            self._paths,
            settings.key,
            clock=context.clock,
            redactor=context.redactor,
            count=self._count_renewal,
            elapsed=surroundings.elapsed,
        )

    async def run_stream(
        self, outlet: Outlet, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Carry one connection's pushes to `outlet`. Ends by a `StreamError`."""
        await self._rest_turn()
        key, renewal = await self._keys.take()
        async with self._open_socket() as socket:
            stream = Stream(
                socket, outlet, self._keys, key, self._context.redactor, self._told_trades
            )
            if renewal is not None:
                await outlet.key_renewed(
                    replaced=renewal is Renewal.REPLACED,
                    expires_ns=self._keys.expires_ns(),
                    detail=f"{renewal} for a new connection",
                )
            await stream.run(self._subscriptions(key.value), task_status)

    def plan_recovery(self, known: Known, purpose: Purpose, since_ns: int | None) -> RecoveryPlan:
        """Decide which pairs and orders to ask for."""
        return plan_recovery(self._settings, known, purpose, since_ns)

    async def recover(self, plan: RecoveryPlan, finds: Finds) -> RecoveryResult:
        """Read REST by the plan."""
        reading = Recovery(
            self._lists,
            plan,
            finds,
            self._scope,
            clock=self._clock,
            told_trades=self._told_trades,
        )
        result = await reading.run()
        if plan.purpose is not Purpose.ORDER:  # one order is often followed by another
            await self._calls.close_idle()
        return result

    def reconcile(self, known: KnownOrder | None, told: ToldOrder) -> Reconciled:
        """Complete a report from what is known of its order."""
        return reconcile(known, told)

    async def renew(self) -> None:
        """Learn the time anew. A key that was refused is already dropped (`keys`)."""
        if self._settings.endpoints.api == "v2":
            await self._calls.learn_time()

    async def probe(self) -> Sequence[ProbeFinding]:
        """Check address, clock and credentials without subscribing."""
        return await Probe(self._calls, self._paths, self._clock, self._open_socket).run()

    def check_seconds(self) -> float | None:
        """How often the state is compared by REST."""
        return self._settings.recovery.every

    def clock_offset_seconds(self) -> float | None:
        """LBank's clock minus ours."""
        return self._clock.offset_seconds

    def key_expires_ns(self) -> int | None:
        """When the stream key lapses if nobody refreshes it."""
        return self._keys.expires_ns()

    async def aclose(self) -> None:
        """Close what is open; the stream key too, where the settings say so."""
        if self._settings.key.destroy:
            try:
                await self._keys.destroy()
            except StreamError as error:
                KEY_NOT_DESTROYED.emit(account=self._context.account, error=str(error))
        await self._calls.aclose()

    async def _rest_turn(self) -> None:
        """Queue for REST too: accounts that were cut together all want their keys."""
        rate = self._context.options.connect_rate
        await self._context.connect_gate.wait_turn(self._settings.endpoints.rest, rate)

    async def _request_turn(self, api_key: str) -> None:
        await self._context.request_gate.wait_turn(
            self._rest_host,
            api_key,
            per_second=endpoints.REQUESTS_PER_SECOND,
            burst=endpoints.REQUESTS_BURST,
        )

    def _open_socket(self) -> AbstractAsyncContextManager[WebSocket]:
        options = self._context.options
        return self._surroundings.open_websocket(
            self._settings.endpoints.websocket,
            transport=options.transport,
            proxy=options.proxy,
            gate=self._context.connect_gate,
            connect_rate=options.connect_rate,
        )

    def _subscriptions(self, key: str) -> list[str]:
        """LBank takes one pair a frame, or all pairs; balances know no pairs."""
        pairs = self._settings.listed_pairs or (requests.ALL_PAIRS,)
        wanted = [requests.subscribe_orders(key, pair) for pair in pairs if self._scope.orders]
        if self._scope.balances:
            wanted.append(requests.subscribe_balances(key))
        return wanted

    def _count_renewal(self, result: Renewal) -> None:
        context = self._context
        context.metrics.cell("gateway_key_renewals", context.account, result).inc()


def _rest_client(settings: Settings, context: AdapterContext) -> RestClient:
    return RestClient(
        settings.endpoints.rest,
        clock=context.clock,
        proxy=context.options.proxy,
        count=lambda result: context.metrics.cell(
            "gateway_rest_requests", context.account, result
        ).inc(),
    )
