"""Completing a report from what is known of its order, purely.

The push form of 2019 tells of a traded order only the trade; the rest is filled in
from earlier pushes or REST. LBank numbers its trades, so nothing is ever derived:
where the cumulative quantity grew by more than the trade told, REST is asked.
"""

from typing import Final

from msgspec.structs import replace

from adapters.lbank.normalise import ratio, remaining
from gateway.contracts.told import ZERO_MARK, KnownOrder, Mark, Reconciled, ToldFill, ToldOrder
from gateway.events.model import Order, OrderStatus, OrderType
from gateway.events.numbers import (
    CONTEXT,
    NumberError,
    PlainDecimal,
    add,
    compare,
    is_zero,
    same,
    to_decimal,
)

_CARRIED: Final = (
    "client_order_id", "side", "type", "time_in_force", "post_only", "price", "quantity",
    "quote_quantity", "created_time",
)  # fmt: skip
"""What stays the same for the life of an order, so that an earlier report may fill it in."""

_TRADED: Final = frozenset({OrderStatus.PARTIALLY_FILLED, OrderStatus.FILLED})


def reconcile(known: KnownOrder | None, told: ToldOrder) -> Reconciled:
    """See `gateway.contracts.adapter.Adapter.reconcile`."""
    accounted = _accounted(known, told)
    try:
        order = told.order if known is None else _completed(known.order, told)
        return Reconciled(
            order=order,
            mark=_mark(accounted, order, told.trade),
            trades_missing=_trades_missing(accounted, order, told),
        )
    except NumberError:
        # Sums of absurd numbers: pass on what was told, compute nothing.
        return Reconciled(order=told.order, mark=Mark(accounted))


def _completed(old: Order, told: ToldOrder) -> Order:
    new = told.order
    carried = {name: getattr(old, name) for name in _CARRIED if getattr(new, name) is None}
    quantity = new.quantity if new.quantity is not None else old.quantity
    filled = new.filled_quantity
    average = new.average_price
    if filled is None:
        filled = _filled_by_trade(old, told, quantity)
        average = _average_by_trade(old, filled, told.trade)
    order = replace(
        new,
        **carried,
        filled_quantity=filled,
        remaining_quantity=remaining(quantity, filled),
        average_price=average,
    )
    # The form of 2019 tells the market's price for a market order, but not that it is one.
    return replace(order, price=None) if order.type is OrderType.MARKET else order


def _filled_by_trade(
    old: Order, told: ToldOrder, quantity: PlainDecimal | None
) -> PlainDecimal | None:
    """The cumulative quantity where the report does not tell it."""
    if told.order.status is OrderStatus.FILLED and quantity is not None:
        return quantity
    if old.filled_quantity is None or told.trade is None:
        return old.filled_quantity
    return add(old.filled_quantity, told.trade.fill.quantity)


def _average_by_trade(
    old: Order, filled: PlainDecimal | None, trade: ToldFill | None
) -> PlainDecimal | None:
    """The average over the known fills and this one; None where a fill between is not known."""
    before = old.filled_quantity
    if trade is None:
        return old.average_price if same(filled, before) else None
    fill = trade.fill
    if filled is None or before is None or compare(filled, add(before, fill.quantity)) != 0:
        return None
    if is_zero(before):
        return fill.price
    if old.average_price is None:
        return None
    spent = CONTEXT.multiply(to_decimal(old.average_price), to_decimal(before))
    spent = CONTEXT.fma(to_decimal(fill.price), to_decimal(fill.quantity), spent)
    return ratio(spent, filled)


# --- fills that somebody has to ask for ----------------------------------------


def _accounted(known: KnownOrder | None, told: ToldOrder) -> PlainDecimal:
    """How much of the order was told as fills before this report."""
    if known is not None:
        return known.mark.quantity
    return (told.baseline or ZERO_MARK).quantity


def _mark(accounted: PlainDecimal, order: Order, trade: ToldFill | None) -> Mark:
    """A trade with a number is told; one without is told by the book, which moves the mark."""
    reached = order.filled_quantity
    if trade is not None and trade.span is not None:
        reached = trade.span[0]
    if reached is None and trade is not None:
        reached = add(accounted, trade.fill.quantity)
    if reached is None or compare(reached, accounted) < 0:
        reached = accounted
    return Mark(reached)


def _trades_missing(accounted: PlainDecimal, order: Order, told: ToldOrder) -> bool:
    """Whether the order filled further than the trades told."""
    if told.baseline is not None:
        return False  # a REST row: its trades are read beside it
    trade = told.trade
    filled = order.filled_quantity
    if filled is None:
        return trade is None and order.status in _TRADED
    explained = accounted if trade is None else add(accounted, trade.fill.quantity)
    return compare(filled, explained) > 0
