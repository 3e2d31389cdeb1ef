"""Which of a list's trades were told already, under whatever name. Pure.

Whether the `id` in transaction_history is the `txUuid` of a push is not documented.
Where it is not, a trade that was pushed and then listed would be told twice. So the
trades that this process told are kept for a while: a listed one with another id, but
of the same order, price, quantity and moment, is the same trade. As soon as one id of
a push is found in a list, ids are all that counts, and nothing more is kept.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.contracts.told import Told, ToldFill, ToldOrder, ToldUnrecognized
from gateway.events.numbers import PlainDecimal, same
from gateway.events.times import to_nanoseconds

_ORDERS_KEPT: Final = 5_000
"""Far more than an account trades between two readings."""

_APART_NS: Final = 2 * 10**9
"""Lists tell times by the second, and a push tells that of the order."""


class _Trade(msgspec.Struct, frozen=True, gc=False):
    fill_id: str | None
    price: PlainDecimal
    quantity: PlainDecimal
    at_ns: int


class ToldTrades:
    """The trades of one account that pushes told lately, by order."""

    def __init__(self) -> None:
        self._orders: dict[str, list[_Trade]] = {}
        """The order that was noted first in front."""
        self._ids_agree = False

    def note(self, told: Told) -> None:
        """Keep the trade that a push told, if it told one."""
        if self._ids_agree or not isinstance(told, ToldOrder) or told.trade is None:
            return
        fill = told.trade.fill
        order_id = fill.order_id
        if order_id not in self._orders and len(self._orders) >= _ORDERS_KEPT:
            del self._orders[next(iter(self._orders))]
        trade = _Trade(fill.fill_id, fill.price, fill.quantity, _moment(told.trade))
        self._orders.setdefault(order_id, []).append(trade)

    def untold(
        self, order_id: str, listed: Sequence[ToldFill | ToldUnrecognized]
    ) -> list[ToldFill | ToldUnrecognized]:
        """What a list tells of an order, without what pushes told under another id."""
        told = self._orders.get(order_id, [])
        listed_ids = {each.fill.fill_id for each in listed if isinstance(each, ToldFill)}
        if any(trade.fill_id in listed_ids for trade in told):
            self._ids_agree = True
            self._orders.clear()
        if self._ids_agree:
            return list(listed)
        left = list(told)
        return [each for each in listed if not _take_equal(left, each)]


def _take_equal(left: list[_Trade], listed: ToldFill | ToldUnrecognized) -> bool:
    """Take out of `left` the trade that a row tells, if it is there."""
    if not isinstance(listed, ToldFill):
        return False
    for trade in left:
        if _is_same(trade, listed):
            left.remove(trade)
            return True
    return False


def _is_same(trade: _Trade, listed: ToldFill) -> bool:
    return (
        abs(trade.at_ns - _moment(listed)) <= _APART_NS
        and same(trade.quantity, listed.fill.quantity)
        and same(trade.price, listed.fill.price)
    )


def _moment(trade: ToldFill) -> int:
    return 0 if trade.venue_time is None else to_nanoseconds(trade.venue_time)
