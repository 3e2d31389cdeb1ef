"""Fills from two states of an order: FMEX pushes no executions. Pure.

A push tells how much of the order is filled, at which average price and for
which fee, all cumulative. The difference to the mark (how far fills are
accounted for) is the new part.
"""

from collections.abc import Sequence
from decimal import localcontext
from typing import Final

import msgspec

from adapters.fmex.instruments import find_instrument
from gateway.contracts.told import (
    ZERO_MARK,
    KnownOrder,
    Mark,
    Reconciled,
    ToldFill,
    ToldOrder,
)
from gateway.events.model import Fill, Order
from gateway.events.numbers import (
    CONTEXT,
    PlainDecimal,
    compare,
    computed,
    is_zero,
    same,
    subtract,
    to_decimal,
)

_LASTING: Final = (
    "side", "type", "time_in_force", "post_only", "hidden", "liquidation", "price", "quantity",
    "fee_currency", "created_time",
)  # fmt: skip
"""Fields that an earlier report still vouches for. The trigger is none of them:
FMEX sends 0, which is null with us, once an order is no stop order any more."""


def reconcile(known: KnownOrder | None, told: ToldOrder) -> Reconciled:
    """Complete a report from what is known, and derive the fill that it implies.

    Where no price can be derived, nothing is made up: the mark stays and
    `trades_missing` asks for the executions by REST.
    """
    order = told.order if known is None else _complete(told.order, known.order)
    start = _start(known, told)
    if order.filled_quantity is None or compare(order.filled_quantity, start.quantity) < 0:
        return Reconciled(order=order, mark=start)
    reached = Mark(order.filled_quantity, order.average_price, order.fee)
    if compare(reached.quantity, start.quantity) == 0:
        return Reconciled(order=order, mark=_refresh(start, reached))
    price = price_between(start, reached, inverse=_is_inverse(told.venue_symbol))
    if price is None:
        return Reconciled(order=order, mark=start, trades_missing=True)
    fill = _derive(told, order, start, reached, price)
    return Reconciled(order=order, mark=reached, derived=(fill,))


def price_between(before: Mark, after: Mark, *, inverse: bool | None) -> PlainDecimal | None:
    """Average price of what was filled between two marks, None where it does not follow.

    What an inverse contract pays is quantity / price, so its average is harmonic:
    Δq / (Q2/avg2 - Q1/avg1), here over a common denominator so that there is one
    division and an exact price stays exact. `inverse` is None for a contract that
    nobody described: its parts cannot be told apart.
    """
    if is_zero(before.quantity):
        return after.average_price
    if inverse is None or before.average_price is None or after.average_price is None:
        return None
    with localcontext(CONTEXT):
        q1, q2 = to_decimal(before.quantity), to_decimal(after.quantity)
        a1, a2 = to_decimal(before.average_price), to_decimal(after.average_price)
        if inverse:
            above, below = (q2 - q1) * a1 * a2, q2 * a1 - q1 * a2
        else:
            above, below = q2 * a2 - q1 * a1, q2 - q1
        if above <= 0 or below <= 0:
            return None  # the two averages contradict each other
        return computed(above / below)


def _start(known: KnownOrder | None, told: ToldOrder) -> Mark:
    """The later of what the book and what a recovery say is accounted for."""
    start = known.mark if known is not None else ZERO_MARK
    if told.baseline is not None and compare(told.baseline.quantity, start.quantity) > 0:
        return told.baseline
    return start


def _refresh(start: Mark, reached: Mark) -> Mark:
    """The same quantity: take averages and fees that were missing or are newer."""
    return Mark(
        start.quantity,
        start.average_price if reached.average_price is None else reached.average_price,
        start.fee if reached.fee is None else reached.fee,
    )


def _complete(told: Order, known: Order) -> Order:
    order = _fill_in(told, known, _LASTING)
    quantity, remaining = order.quantity, order.remaining_quantity
    if order.filled_quantity is None and quantity is not None and remaining is not None:
        order = msgspec.structs.replace(order, filled_quantity=subtract(quantity, remaining))
    # Averages and fees move with what is filled; older REST rows leave them out.
    if same(order.filled_quantity, known.filled_quantity):
        order = _fill_in(order, known, ("average_price", "fee"))
    return order


def _fill_in(order: Order, known: Order, names: Sequence[str]) -> Order:
    missing = {name: getattr(known, name) for name in names if getattr(order, name) is None}
    return msgspec.structs.replace(order, **missing) if missing else order


def _derive(
    told: ToldOrder, order: Order, start: Mark, reached: Mark, price: PlainDecimal
) -> ToldFill:
    grown = (
        reached.quantity if is_zero(start.quantity) else subtract(reached.quantity, start.quantity)
    )
    fill = Fill(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        side=order.side,
        price=price,
        quantity=grown,
        fee=_fee_between(start, reached),
        fee_currency=order.fee_currency,
        derived=True,
    )
    return ToldFill(
        fill=fill,
        symbol=told.symbol,
        venue_symbol=told.venue_symbol,
        venue_time=told.venue_time,
        raw=told.raw,
        span=(start.quantity, reached.quantity),
    )


def _fee_between(start: Mark, reached: Mark) -> PlainDecimal | None:
    if reached.fee is None:
        return None
    if is_zero(start.quantity) and (start.fee is None or is_zero(start.fee)):
        return reached.fee
    return None if start.fee is None else subtract(reached.fee, start.fee)


def _is_inverse(venue_symbol: str | None) -> bool | None:
    instrument = find_instrument(venue_symbol)
    return None if instrument is None else instrument.inverse
