"""Made-up reports of a made-up venue, for tests of the house.

`reconcile` is what an adapter of a venue without executions would do, in its
plainest form: it derives one fill from the growth of the cumulative quantity.
"""

from typing import Any

import msgspec

from gateway.contracts.told import (
    ZERO_MARK,
    KnownOrder,
    Mark,
    Reconciled,
    ToldBalance,
    ToldFill,
    ToldOrder,
    ToldPosition,
)
from gateway.events.model import Balance, Fill, Order, OrderStatus, Position, PositionSide, Side
from gateway.events.numbers import add, compare, plain, subtract
from gateway.events.times import Timestamp, from_milliseconds

T0_MS = 1_600_000_000_000
"""A second to count from."""

_FINAL = {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED}


def at(milliseconds: int) -> Timestamp:
    """Venue time, counted from `T0_MS`."""
    return from_milliseconds(T0_MS + milliseconds)


def ns(milliseconds: int) -> int:
    """Our time, counted from `T0_MS`."""
    return (T0_MS + milliseconds) * 1_000_000


def order(
    order_id: str = "o1",
    status: str = "new",
    filled: str | None = "0",
    *,
    time: int | None = 0,
    trade: ToldFill | None = None,
    baseline: Mark | None = None,
    **fields: Any,
) -> ToldOrder:
    """A report of an order of 10 contracts."""
    body = Order(
        order_id=order_id,
        status=OrderStatus(status),
        venue_status=status.upper(),
        final=OrderStatus(status) in _FINAL,
        filled_quantity=None if filled is None else plain(filled),
        updated_time=None if time is None else at(time),
        **({"side": Side.BUY, "quantity": plain("10"), "average_price": plain("100")} | fields),
    )
    return ToldOrder(
        order=body,
        symbol="BTC/USD:BTC",
        venue_symbol="BTCUSD_P",
        venue_time=None if time is None else at(time),
        raw=f"{order_id} {status} {filled} {time}",
        trade=trade,
        baseline=baseline,
    )


def fill(
    order_id: str = "o1",
    fill_id: str | None = "t1",
    quantity: str = "1",
    *,
    time: int = 0,
    span: tuple[str, str] | None = None,
) -> ToldFill:
    """A report of an execution at 100."""
    return ToldFill(
        fill=Fill(
            fill_id=fill_id,
            order_id=order_id,
            price=plain("100"),
            quantity=plain(quantity),
            derived=fill_id is None,
        ),
        symbol="BTC/USD:BTC",
        venue_symbol="BTCUSD_P",
        venue_time=at(time),
        raw=f"{order_id} {fill_id} {quantity}",
        span=None if span is None else (plain(span[0]), plain(span[1])),
    )


def balance(available: str = "1", held: str = "0", *, time: int | None = 0) -> ToldBalance:
    """A report of the balance in BTC."""
    total = plain(str(int(available) + int(held)))
    body = Balance(asset="BTC", available=plain(available), held=plain(held), total=total)
    return ToldBalance(
        balance=body,
        venue_time=None if time is None else at(time),
        raw=f"balance {available} {held}",
    )


def position(quantity: str = "1", *, time: int | None = 0) -> ToldPosition:
    """A report of the position in BTCUSD_P."""
    flat = quantity == "0"
    body = Position(side=PositionSide.FLAT if flat else PositionSide.LONG, quantity=plain(quantity))
    return ToldPosition(
        position=body,
        symbol="BTC/USD:BTC",
        venue_symbol="BTCUSD_P",
        venue_time=None if time is None else at(time),
        raw=f"position {quantity}",
    )


def reconcile(known: KnownOrder | None, told: ToldOrder) -> Reconciled:
    """Complete from what is known; derive one fill for what was added."""
    mark = known.mark if known is not None else told.baseline or ZERO_MARK
    filled = told.order.filled_quantity
    if filled is None or compare(filled, mark.quantity) <= 0:
        return Reconciled(order=_complete(known, told.order), mark=mark)
    derived = ToldFill(
        fill=Fill(
            order_id=told.order.order_id,
            price=plain("100"),
            quantity=subtract(filled, mark.quantity),
            derived=True,
        ),
        venue_time=told.venue_time,
        raw=told.raw,
        span=(mark.quantity, filled),
    )
    return Reconciled(order=_complete(known, told.order), mark=Mark(filled), derived=(derived,))


def reconcile_with_trades(known: KnownOrder | None, told: ToldOrder) -> Reconciled:
    """For a venue that sends executions: derive nothing, notice a jump past the trade."""
    before = known.order.filled_quantity if known is not None else plain("0")
    filled = told.order.filled_quantity
    traded = told.trade.fill.quantity if told.trade is not None else plain("0")
    jumped = (
        filled is not None
        and before is not None
        and compare(subtract(filled, before), traded) != 0
        and known is not None
    )
    completed = _complete(known, told.order)
    if filled is None and before is not None:
        completed = msgspec.structs.replace(completed, filled_quantity=add(before, traded))
    return Reconciled(order=completed, mark=ZERO_MARK, trades_missing=bool(jumped))


def _complete(known: KnownOrder | None, told: Order) -> Order:
    if known is None:
        return told
    missing = {
        name: getattr(known.order, name)
        for name in told.__struct_fields__
        if getattr(told, name) is None
    }
    return msgspec.structs.replace(told, **missing)
