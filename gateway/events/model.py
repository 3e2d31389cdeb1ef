"""The vocabulary: one frozen class per thing that can happen to an account.

Field names and order are those of the event schema 1.0 (`docs/events.md`); a
field that the venue did not tell is ``None`` and is never guessed. Words for
orders follow FIX (OrdStatus, TimeInForce, LiquidityInd).
"""

from enum import StrEnum
from typing import ClassVar, Final

import msgspec

from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp

SCHEMA_VERSION: Final = "1.0"


class Kind(StrEnum):
    """What an event is about; also the name of the field that holds its body."""

    ORDER = "order"
    FILL = "fill"
    BALANCE = "balance"
    POSITION = "position"
    STREAM = "stream"
    UNRECOGNIZED = "unrecognized"


class Origin(StrEnum):
    """How the gateway came to know."""

    PUSH = "push"
    RECOVERY = "recovery"
    """Found by REST after a gap."""
    SNAPSHOT = "snapshot"
    """Read at the very first start or by the periodic check."""
    GATEWAY = "gateway"
    """About the gateway itself."""


class OrderStatus(StrEnum):
    """FIX OrdStatus words, and `PENDING_TRIGGER` for a stop order that waits."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    REJECTED = "rejected"
    PENDING_TRIGGER = "pending_trigger"
    UNKNOWN = "unknown"
    """The venue used a word that no document names; see `Order.venue_status`."""


FINAL_STATUSES: Final = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED})


class Side(StrEnum):
    """Side of an order or of an execution."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """A stop order is a limit or market order with a `trigger_price`."""

    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(StrEnum):
    """How long an order stands."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class Liquidity(StrEnum):
    """Whether an execution added or removed liquidity."""

    MAKER = "maker"
    TAKER = "taker"


class TriggerDirection(StrEnum):
    """A stop fires when the price rises (`UP`) or falls (`DOWN`) to its trigger."""

    UP = "up"
    DOWN = "down"


class PositionSide(StrEnum):
    """`FLAT` when nothing is held, whatever direction the venue left standing."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


class MarginMode(StrEnum):
    """Whether a position's margin is its own or the account's."""

    CROSS = "cross"
    ISOLATED = "isolated"


class StreamStatus(StrEnum):
    """What happened to our view of an account."""

    LIVE = "live"
    GAP_OPENED = "gap_opened"
    GAP_CLOSED = "gap_closed"
    KEY_RENEWED = "key_renewed"
    SUSPENDED = "suspended"
    STOPPED = "stopped"
    ALIVE = "alive"


class StreamReason(StrEnum):
    """Why it happened: the whole list, so that consumers can switch on it."""

    SUBSCRIBED = "subscribed"
    """`live`: every wanted subscription is confirmed and the connection answers."""
    CONNECTION_LOST = "connection_lost"
    """The socket ended, by whichever side."""
    HEARTBEAT_MISSED = "heartbeat_missed"
    """The socket stood but no longer answered."""
    SUBSCRIPTION_DEAD = "subscription_dead"
    """The socket answered but the subscription did not: refused, unconfirmed or lost."""
    KEY_EXPIRED = "key_expired"
    """The stream key lapsed, was voided, or could not be refreshed in time."""
    LOGIN_REFUSED = "login_refused"
    """The venue refused the credentials."""
    CLOCK_SKEWED = "clock_skewed"
    """The venue refused our timestamp."""
    RATE_LIMITED = "rate_limited"
    """The venue asked us to wait."""
    VENUE_UNAVAILABLE = "venue_unavailable"
    """The venue answers, but with errors, or asks to come back later."""
    INVALID_UTF8 = "invalid_utf8"
    """A text frame was not UTF-8; the connection was closed with 1007."""
    FRAME_TOO_LARGE = "frame_too_large"
    """A frame passed the size limit; the connection was closed with 1009."""
    PROTOCOL_ERROR = "protocol_error"
    """The peer broke the WebSocket protocol."""
    CHECK_DISAGREED = "check_disagreed"
    """A periodic REST check found what no push had told."""
    PROCESS_PAUSED = "process_paused"
    """The gateway itself did not run for longer than a heartbeat (suspend, SIGSTOP)."""
    GATEWAY_DOWN = "gateway_down"
    """The gateway was not running, and had not said that it would stop."""
    STOPPED = "stopped"
    """An orderly stop of the gateway, or the account was removed or disabled."""
    RECONFIGURED = "reconfigured"
    """A reload changed this account."""
    MOVED = "moved"
    """Another gateway of the cluster owns the account now, and its events go on there;
    `gap_closed`: it is back, and the shared log has what was heard meanwhile."""
    DISK_FULL = "disk_full"
    """The journal could not write; sources were closed until it could."""
    SINK_BLOCKED = "sink_blocked"
    """A sink with `overflow: block` held the journal at its size limit."""
    REQUESTED = "requested"
    """Somebody asked for it (`gateway account reconnect` or `recover`)."""
    INTERNAL_ERROR = "internal_error"
    """A defect in the gateway or an adapter; the log has the traceback."""
    REFRESHED = "refreshed"
    """`key_renewed`: the key's life was extended."""
    REPLACED = "replaced"
    """`key_renewed`: a new key took the old one's place."""
    RECOVERED = "recovered"
    """`gap_closed`: everything in scope was read."""
    PARTLY_UNREADABLE = "partly_unreadable"
    """`gap_closed`: REST answered, but the venue cannot tell all that was missed."""
    REST_UNAVAILABLE = "rest_unavailable"
    """`gap_closed`: REST kept failing; a later success closes the gap once more."""
    HEARTBEAT = "heartbeat"
    """`alive`: the configured sign of life."""


class Order(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of one order after a change."""

    KIND: ClassVar[Kind] = Kind.ORDER

    order_id: str
    client_order_id: str | None = None
    status: OrderStatus
    venue_status: str
    """The venue's own word or number."""
    final: bool
    """True when no further change can follow."""
    side: Side | None = None
    type: OrderType | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool | None = None
    hidden: bool | None = None
    liquidation: bool | None = None
    price: PlainDecimal | None = None
    """Limit price."""
    quantity: PlainDecimal | None = None
    """Ordered, in base units (spot) or contracts."""
    quote_quantity: PlainDecimal | None = None
    """Ordered by value, in quote units."""
    filled_quantity: PlainDecimal | None = None
    remaining_quantity: PlainDecimal | None = None
    average_price: PlainDecimal | None = None
    """Of all fills so far; None before the first."""
    fee: PlainDecimal | None = None
    """Cumulative; negative is a rebate."""
    fee_currency: str | None = None
    trigger_price: PlainDecimal | None = None
    trigger_direction: TriggerDirection | None = None
    trailing_distance: PlainDecimal | None = None
    created_time: Timestamp | None = None
    updated_time: Timestamp | None = None


class Fill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One execution."""

    KIND: ClassVar[Kind] = Kind.FILL

    fill_id: str | None = None
    """The venue's trade id."""
    order_id: str
    client_order_id: str | None = None
    side: Side | None = None
    price: PlainDecimal
    quantity: PlainDecimal
    value: PlainDecimal | None = None
    """In quote or settlement units, as told."""
    liquidity: Liquidity | None = None
    fee: PlainDecimal | None = None
    fee_currency: str | None = None
    derived: bool = False
    """True when computed from two states of the order."""


class Balance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One asset of one account."""

    KIND: ClassVar[Kind] = Kind.BALANCE

    asset: str
    """Upper case."""
    available: PlainDecimal
    held: PlainDecimal
    """By open orders."""
    position_margin: PlainDecimal | None = None
    """None on spot."""
    total: PlainDecimal
    """Sum of the parts as told."""
    reason: str | None = None
    """The venue's word for the cause."""


class Position(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One contract of one account."""

    KIND: ClassVar[Kind] = Kind.POSITION

    side: PositionSide
    quantity: PlainDecimal
    """Contracts, not negative."""
    entry_price: PlainDecimal | None = None
    leverage: PlainDecimal | None = None
    """None when cross."""
    margin_mode: MarginMode | None = None
    margin: PlainDecimal | None = None
    margin_currency: str | None = None
    realized_pnl: PlainDecimal | None = None
    liquidation_price: PlainDecimal | None = None
    bankruptcy_price: PlainDecimal | None = None
    maintenance_margin_rate: PlainDecimal | None = None
    taker_fee_rate: PlainDecimal | None = None
    risk_level: str | None = None
    updated_time: Timestamp | None = None


class Stream(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What happened to our view of the account."""

    KIND: ClassVar[Kind] = Kind.STREAM

    status: StreamStatus
    reason: StreamReason
    since: Timestamp | None = None
    until: Timestamp | None = None
    recovered: int | None = None
    """Number of events found and newly journalled."""
    complete: bool | None = None
    """True: proven complete. False: something may be missing."""
    detail: str | None = None
    """A sentence for a person."""


class Unrecognized(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frame that was not understood. Nothing that a venue sends is thrown away."""

    KIND: ClassVar[Kind] = Kind.UNRECOGNIZED

    reason: str
    frame: str
    """The text, or Base64 where `encoding` says so."""
    encoding: str | None = None


Body = Order | Fill | Balance | Position | Stream | Unrecognized

BODY_TYPES: Final[dict[Kind, type[Body]]] = {
    Kind.ORDER: Order,
    Kind.FILL: Fill,
    Kind.BALANCE: Balance,
    Kind.POSITION: Position,
    Kind.STREAM: Stream,
    Kind.UNRECOGNIZED: Unrecognized,
}


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fact about one account, complete but for its place in the journal."""

    id: str
    """32 lower-case hex characters: a digest of what happened (see `identity`)."""
    account: str
    venue: str
    symbol: str | None = None
    """Unified: spot ``ETH/BTC``, perpetual swap ``BTC/USD:BTC``."""
    venue_symbol: str | None = None
    origin: Origin
    venue_time: Timestamp | None = None
    received_time: Timestamp
    body: Body
    raw: str | None = None
    """The venue's text, verbatim but for known secrets."""

    @property
    def kind(self) -> Kind:
        """Derived from the body, so that the two cannot disagree."""
        return self.body.KIND
