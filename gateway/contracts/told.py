"""What a venue told, in our words but before the house knows what is new in it.

An adapter's `normalise` makes these from frames and REST rows, purely. The book
(`gateway.accounts.book`) compares them with what it knows and makes events.
"""

import msgspec

from gateway.events.model import Balance, Fill, Order, Position
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp


class Mark(msgspec.Struct, frozen=True, gc=False):
    """How far the fills of an order are accounted for."""

    quantity: PlainDecimal
    average_price: PlainDecimal | None = None
    fee: PlainDecimal | None = None


ZERO_MARK = Mark(PlainDecimal("0"))


class ToldFill(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One execution, told by the venue or derived by the adapter's `reconcile`."""

    fill: Fill
    symbol: str | None = None
    venue_symbol: str | None = None
    venue_time: Timestamp | None = None
    raw: str
    span: tuple[PlainDecimal, PlainDecimal] | None = None
    """Cumulative quantity before and after, for a venue that numbers no trades.
    It identifies the fill where `fill.fill_id` is None."""


class ToldOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of one order; fields that this report does not tell are None."""

    order: Order
    symbol: str | None = None
    venue_symbol: str | None = None
    venue_time: Timestamp | None = None
    raw: str
    trade: ToldFill | None = None
    """The execution that came in the same push."""
    baseline: Mark | None = None
    """Set by recovery: the part of the fills that happened before the gap. The
    book starts deriving from here if it does not know the order."""


class ToldBalance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One asset's balance. Without `venue_time` it is a REST reading."""

    balance: Balance
    venue_time: Timestamp | None = None
    raw: str


class ToldPosition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One contract's position."""

    position: Position
    symbol: str | None = None
    venue_symbol: str | None = None
    venue_time: Timestamp | None = None
    raw: str


class ToldUnrecognized(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frame that was not understood, whole."""

    reason: str
    """A word: ``not_json`` ``unknown_type`` ``missing_field`` ``bad_number`` ``binary`` …"""
    frame: str
    encoding: str | None = None
    """``base64`` when `frame` is not the text itself."""


Told = ToldOrder | ToldFill | ToldBalance | ToldPosition | ToldUnrecognized


class KnownOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the book holds of one order: everything told so far, merged."""

    order: Order
    symbol: str | None = None
    venue_symbol: str | None = None
    mark: Mark = ZERO_MARK
    """High-water mark of derived fills: never derive below it."""
    event_id: str
    """Id of the latest `order` event."""
    received_ns: int
    """When that event was read here."""
    ids_here: tuple[str, ...] = ("", "")
    """Of the latest states, oldest first: what each told by itself as an id, then
    the id it got. They differ where a state came back to an earlier one."""


class Reconciled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an adapter's `reconcile` makes of a known order and a new report."""

    order: Order
    """The report, completed from what was known."""
    mark: Mark
    """The mark after `derived`."""
    derived: tuple[ToldFill, ...] = ()
    """Fills that follow from the two states."""
    trades_missing: bool = False
    """The cumulative quantity jumped past the trades told: ask REST for this order."""
