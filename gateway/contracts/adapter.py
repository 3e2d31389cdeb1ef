"""What an adapter is to the house.

An adapter object serves one account of one venue. It opens streams, reads REST
for recovery, and answers two pure questions about orders. It never decides when
to reconnect, never writes to the journal, and never counts time between
attempts: that is the supervisor's.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Protocol, TypeVar

import msgspec
import trio

from gateway.clock import Clock
from gateway.contracts.told import KnownOrder, Reconciled, Told, ToldOrder
from gateway.contracts.values import Seconds
from gateway.events.model import StreamReason
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import Redactor

T = TypeVar("T")

Transport = Literal["trio-websocket", "websockets"]


class AccountOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of every account, whatever its venue."""

    venue: str
    """Name of an installed venue (`gateway list venues`)."""
    enabled: bool = True
    """False keeps the account configured but closed."""
    streams: tuple[str, ...] = ()
    """Which streams of the venue to follow; all of them by default."""
    connections: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    """2 keeps two sockets side by side, merged by event id."""
    transport: Transport = "trio-websocket"
    """The WebSocket library that carries the stream."""
    proxy: str | None = None
    """``http://…`` or ``socks5://…``; by default HTTPS_PROXY and NO_PROXY decide."""
    connect_rate: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    """New connections per second and host, over all accounts that share the host; and as many
    requests for what leads up to one."""


class Purpose(StrEnum):
    """Why REST is read."""

    SNAPSHOT = "snapshot"
    """The very first start: learn the state, derive nothing from it."""
    GAP = "gap"
    """Find what happened between `since_ns` and now."""
    CHECK = "check"
    """Compare with what is known, though nothing seems wrong."""
    ORDER = "order"
    """Fetch the missing trades of single orders."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the book knows of the account, for `plan_recovery`."""

    open_orders: Mapping[str, KnownOrder]
    """By order id."""
    venue_symbols: tuple[str, ...] = ()
    """Symbols seen lately or with an open order, in the venue's spelling."""
    assets: tuple[str, ...] = ()
    """Assets with a known balance, upper case."""
    held_symbols: tuple[str, ...] = ()
    """Contracts with a known position that is not flat, in the venue's spelling."""
    find_order: Callable[[str], KnownOrder | None] = lambda _: None
    """Any order still in the book, final ones included."""


class RecoveryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask REST for."""

    purpose: Purpose
    since_ns: int | None = None
    """Epoch ns of the last proof of life; None for a snapshot."""
    order_ids: tuple[str, ...] = ()
    """Orders to be asked for one by one: known as open, or with missing trades."""
    venue_symbols: tuple[str, ...] = ()
    """Pairs or contracts to be asked for."""
    known: Known


class RecoveryResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a recovery could prove."""

    complete: bool
    """Every fill and the last state of each order, asset and position in scope was read."""
    detail: str = ""
    """For a person: what could not be proven, and why."""


class Outlet(Protocol):
    """Where one stream of one account puts what it hears. The house implements it."""

    async def hear(self, told: Sequence[Told], received_ns: int) -> None:
        """Hand over what one or more frames told, in order. Waits while the journal is full."""

    def frames_read(self, count: int, received_ns: int) -> None:
        """Note that frames arrived, understood or not. Any frame shows the socket is alive."""

    def alive(self) -> None:
        """Note a proof of life: the venue answered a heartbeat, or pinged us itself."""

    def retire(self, reason: StreamReason, detail: str) -> None:
        """Ask for a successor: this connection will not last.

        The house opens another one and cancels this one when that is live (make
        before break). Until then this one goes on.
        """

    async def key_renewed(self, *, replaced: bool, expires_ns: int | None, detail: str) -> None:
        """Tell that the stream key was refreshed, or replaced by a new one."""


class Finds(Protocol):
    """Where a recovery puts what REST told. The house implements it."""

    async def hear(self, told: Sequence[Told], received_ns: int, as_of_ns: int) -> None:
        """Hand over rows; `as_of_ns` is when the request was *sent*: they are no older."""


class AdapterContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the house hands to an adapter."""

    account: str
    options: AccountOptions
    clock: Clock
    metrics: Metrics
    redactor: Redactor
    """Knows this account's secrets. Add short-lived ones (stream keys, signatures)."""
    connect_gate: "ConnectGate"
    request_gate: "RequestGate"
    commons: "Commons"


class ConnectGate(Protocol):
    """Spreads new connections of all accounts, per host."""

    async def wait_turn(self, host: str, per_second: float) -> None:
        """Wait until a connection to `host` may be opened.

        Ask also before what leads up to one, such as the request for a stream key, by
        the REST address as a whole: accounts that were cut together would all ask in
        the same moment, but whoever waits for a key shall hold up nobody's socket.
        """


class RequestGate(Protocol):
    """Keeps to a venue's limit on requests, for all accounts that use one key.

    It outlives the adapter: a venue goes on counting while an account restarts.
    """

    async def wait_turn(self, host: str, key: str, *, per_second: float, burst: int) -> None:
        """Wait until a request with `key` may go to `host`. Sign it only then."""


class Commons(Protocol):
    """What accounts share that use the same host, such as its clock."""

    def share(self, kind: type[T], host: str, make: Callable[[], T]) -> T:
        """Get what another account made, or make it; it lasts while an account holds it."""


class ProbeFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `gateway check --connect`."""

    what: str
    """``dns`` ``tls`` ``clock`` ``credentials`` …"""
    ok: bool
    detail: str


class Adapter(Protocol):
    """One account of one venue."""

    async def run_stream(
        self, outlet: Outlet, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Open one connection, subscribe, and carry frames to `outlet` until it ends.

        Calls `task_status.started()` once every wanted subscription is confirmed
        and the connection is proven alive. Ends only by raising a `StreamError`
        (or by cancellation, after which the socket is closed). May run twice at
        the same time, for two connections or to make before break.

        The caller bounds the time until `started()`.
        """

    def plan_recovery(self, known: Known, purpose: Purpose, since_ns: int | None) -> RecoveryPlan:
        """Decide, purely, which pairs and orders to ask for."""

    async def recover(self, plan: RecoveryPlan, finds: Finds) -> RecoveryResult:
        """Read REST by the plan. Raises a `StreamError` when REST fails.

        Whatever was handed to `finds` before an error stays valid: it was told.
        """

    def reconcile(self, known: KnownOrder | None, told: ToldOrder) -> Reconciled:
        """Complete a report from what is known and derive fills, purely.

        `known` is None at first sight: derive from `told.baseline`, or from zero.
        Only called for reports that are not stale.
        """

    async def renew(self) -> None:
        """Make the next `run_stream` start afresh: drop a dead key, relearn the clock."""

    async def probe(self) -> Sequence[ProbeFinding]:
        """Check DNS, TLS, clock and credentials without subscribing to anything."""

    def check_seconds(self) -> float | None:
        """How often a quiet account is compared with REST (`recovery.every`); None never."""

    def clock_offset_seconds(self) -> float | None:
        """The venue's clock minus ours, when learned."""

    def key_expires_ns(self) -> int | None:
        """Epoch ns at which the stream key lapses, for venues that have one."""

    async def aclose(self) -> None:
        """Release connections."""


class VenueSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the entry point in group ``gateway.adapters`` names."""

    name: str
    """As in `venue:`; lower case."""
    title: str
    """The exchange's own name."""
    summary: str
    streams: tuple[str, ...]
    """Names allowed in `streams:`; all of them are the default."""
    settings: type[msgspec.Struct]
    """The venue's own options: a frozen struct with a docstring under each field."""
    open: Callable[[Any, AdapterContext], Adapter]
    """Make the adapter of one account from its settings. Must not do I/O."""
    simulator: str | None = None
    """``module:attribute`` of the venue's simulator dialect."""
    quick_start: str = ""
    """A minimal account in YAML, shown by `gateway explain`."""


DEFAULT_CHECK_SECONDS: Final = Seconds(300)
"""How often a quiet account is compared with REST."""


class ConfiguredAccount(msgspec.Struct, frozen=True, kw_only=True):
    """One account of `gateway.yaml`, read and checked."""

    name: str
    spec: VenueSpec
    options: AccountOptions
    settings: msgspec.Struct
    """An instance of `spec.settings`."""
