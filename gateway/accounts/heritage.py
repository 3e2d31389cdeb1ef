"""The book that another gateway left behind: a copy of its rows, and the events told since.

A copy is made now and then, events go out all the time; whoever takes an account over
brings the copy up to date with what was told after it, so that nothing is derived
twice and nothing is left out. Pure.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final, TypeVar

import msgspec

from gateway.accounts.holdings import superseded_ids
from gateway.accounts.orders import IDS_KEPT
from gateway.accounts.rows import (
    Gap,
    KnownBalance,
    KnownPosition,
    Rows,
    Section,
    StreamKey,
    change,
    load_section,
    load_stream,
)
from gateway.contracts.told import ZERO_MARK, KnownOrder, Mark
from gateway.events.model import (
    Balance,
    Event,
    Fill,
    Order,
    Origin,
    Position,
    Stream,
    StreamReason,
    StreamStatus,
    Unrecognized,
)
from gateway.events.numbers import add, compare, same
from gateway.events.times import Timestamp, to_nanoseconds

ENDED_NS: Final = 3600 * 10**9
"""An order that ended longer ago is not handed on: no late report of it is expected."""

_T = TypeVar("_T")


def inherit(rows: Rows, told_since: Iterable[Event]) -> dict[tuple[str, str], bytes]:
    """The rows as they stood after the last of the events, which are in order."""
    heritage = _Heritage(rows)
    for event in told_since:
        heritage.learn(event)
    return heritage.rows


class _Heritage:
    def __init__(self, rows: Rows) -> None:
        self.rows = dict(rows)

    def learn(self, event: Event) -> None:
        """Take what one event tells as known."""
        match event.body:
            case Order():
                self._learn_order(event, event.body)
            case Fill():
                self._learn_fill(event.body)
            case Balance():
                self._learn_balance(event, event.body)
            case Position():
                self._learn_position(event, event.body)
            case Stream():
                self._learn_stream(event, event.body)
            case Unrecognized():
                self._count(event.body)
        self._prove_life(event)

    def _learn_order(self, event: Event, order: Order) -> None:
        known = self._find(Section.ORDER, order.order_id, KnownOrder)
        early = self._find(Section.MARK, order.order_id, Mark)
        self._put(Section.MARK, order.order_id, None)
        ids = known.ids_here if known is not None else ()
        mark = known.mark if known else early or _first_mark(event, order)
        self._put(
            Section.ORDER,
            order.order_id,
            KnownOrder(
                order=order,
                symbol=event.symbol,
                venue_symbol=event.venue_symbol,
                mark=_settled(mark, order),
                event_id=event.id,
                received_ns=to_nanoseconds(event.received_time),
                ids_here=(*ids[-IDS_KEPT:], event.id, event.id),
            ),
        )
        if event.venue_symbol is not None:
            self._put(Section.SYMBOL, event.venue_symbol, to_nanoseconds(event.received_time))

    def _learn_fill(self, fill: Fill) -> None:
        known = self._find(Section.ORDER, fill.order_id, KnownOrder)
        if known is not None:
            # Not held down to what the order was: REST tells its fills before its state.
            mark = Mark(add(known.mark.quantity, fill.quantity))
            if same(mark.quantity, known.order.filled_quantity):
                mark = _settled(mark, known.order)
            self._put(Section.ORDER, fill.order_id, msgspec.structs.replace(known, mark=mark))
        elif fill.derived:
            early = self._find(Section.MARK, fill.order_id, Mark) or ZERO_MARK
            self._put(Section.MARK, fill.order_id, Mark(add(early.quantity, fill.quantity)))

    def _learn_balance(self, event: Event, balance: Balance) -> None:
        known = self._find(Section.BALANCE, balance.asset, KnownBalance)
        now_known = KnownBalance(
            body=balance,
            event_id=event.id,
            venue_time=_newest_time(event, known),
            received_ns=to_nanoseconds(event.received_time),
            superseded=superseded_ids(event.venue_time, known),
            was_read=event.origin is not Origin.PUSH and event.venue_time is not None,
        )
        self._put(Section.BALANCE, balance.asset, now_known)

    def _learn_position(self, event: Event, position: Position) -> None:
        known = self._find(Section.POSITION, event.venue_symbol or "", KnownPosition)
        now_known = KnownPosition(
            body=position,
            symbol=event.symbol,
            event_id=event.id,
            venue_time=_newest_time(event, known),
            received_ns=to_nanoseconds(event.received_time),
            superseded=superseded_ids(event.venue_time, known),
            was_read=event.origin is not Origin.PUSH and event.venue_time is not None,
        )
        self._put(Section.POSITION, event.venue_symbol or "", now_known)

    def _learn_stream(self, event: Event, stream: Stream) -> None:
        counter = load_stream(self.rows, StreamKey.COUNTER, int) or 0
        self._put(Section.STREAM, StreamKey.COUNTER.value, counter + 1)
        match stream.status:
            case StreamStatus.LIVE:
                # A consumer relies on the account from here on: every silence is a gap.
                self._put(Section.STREAM, StreamKey.BEGUN.value, True)
            case StreamStatus.GAP_OPENED:
                since_ns = to_nanoseconds(stream.since or event.received_time)
                gap = Gap(since_ns=since_ns, reason=stream.reason)
                self._put(Section.STREAM, StreamKey.GAP.value, gap)
            case StreamStatus.GAP_CLOSED:
                self._close_gap(stream)

    def _close_gap(self, stream: Stream) -> None:
        gap = load_stream(self.rows, StreamKey.GAP, Gap)
        given_up = stream.reason is StreamReason.REST_UNAVAILABLE
        left = msgspec.structs.replace(gap, given_up=True) if gap and given_up else None
        self._put(Section.STREAM, StreamKey.GAP.value, left)

    def _count(self, body: Unrecognized) -> None:
        key = blake2b(body.frame.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        count = self._find(Section.UNRECOGNIZED, key, int) or 0
        self._put(Section.UNRECOGNIZED, key, count + 1)

    def _prove_life(self, event: Event) -> None:
        """What was pushed shows that the stream lived then, and so does its own word."""
        body = event.body
        said = isinstance(body, Stream) and body.status is StreamStatus.LIVE
        if event.origin is not Origin.PUSH and not said:
            return
        life_ns = load_stream(self.rows, StreamKey.LIFE, int) or 0
        at_ns = to_nanoseconds(event.received_time)
        self._put(Section.STREAM, StreamKey.LIFE.value, max(life_ns, at_ns))

    def _find(self, section: Section, key: str, row_type: type[_T]) -> _T | None:
        value = self.rows.get((section.value, key))
        return None if value is None else msgspec.msgpack.decode(value, type=row_type)

    def _put(self, section: Section, key: str, value: Any) -> None:
        _, _, _, encoded = change("", section, key, value)
        if encoded is None:
            self.rows.pop((section.value, key), None)
        else:
            self.rows[section.value, key] = encoded


def _first_mark(event: Event, order: Order) -> Mark:
    """A push derives from zero; what REST showed first was the baseline then."""
    if event.origin is Origin.PUSH or order.filled_quantity is None:
        return ZERO_MARK
    return Mark(order.filled_quantity, order.average_price, order.fee)


def _newest_time(event: Event, known: KnownBalance | KnownPosition | None) -> Timestamp | None:
    """A reading without a time leaves the time alone that a later push must reach."""
    if event.venue_time is not None or known is None:
        return event.venue_time
    return known.venue_time


def _settled(mark: Mark, order: Order) -> Mark:
    """The mark beside a state of its order; where it reaches that, with all that this tells."""
    filled = order.filled_quantity
    if filled is not None and compare(mark.quantity, filled) >= 0:
        return Mark(filled, order.average_price, order.fee)
    return mark


def without_history(rows: Rows, now_ns: int) -> dict[tuple[str, str], bytes]:
    """The rows without what a new owner can do without: orders that ended long ago."""
    orders = load_section(rows, Section.ORDER)
    old = {
        (Section.ORDER.value, key)
        for key, known in orders.items()
        if known.order.final and now_ns - known.received_ns > ENDED_NS
    }
    return {
        key: value
        for key, value in rows.items()
        if key not in old and key[0] != Section.OWNERSHIP.value
    }
