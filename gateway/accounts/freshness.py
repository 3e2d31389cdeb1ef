"""Does a report bring anything new? The rules, pure.

Venues promise neither order nor uniqueness of their pushes, and REST answers
overlap with them. What can be relied on: a final order stays final, cumulative
quantities never shrink, and an answer is no older than the moment its request
was sent.
"""

from typing import Final

from gateway.accounts.news import Heard
from gateway.contracts.told import KnownOrder, ToldOrder
from gateway.events.model import Order, OrderStatus
from gateway.events.numbers import PlainDecimal, compare

_NOTHING: Final = PlainDecimal("0")

_RANK: Final = {
    OrderStatus.PENDING_TRIGGER: 0,
    OrderStatus.NEW: 1,
    OrderStatus.UNKNOWN: 1,
    OrderStatus.PARTIALLY_FILLED: 2,
    OrderStatus.PENDING_CANCEL: 3,
    OrderStatus.CANCELED: 4,
    OrderStatus.REJECTED: 4,
    OrderStatus.FILLED: 4,
}
"""The usual course of an order, for reports that share one instant."""


def is_stale(known: KnownOrder, told: ToldOrder, heard: Heard) -> bool:
    """Tell whether `told` is older than what is known, or comes after the end."""
    old, new = known.order, told.order
    growth = _growth(old, new)
    if growth < 0:
        return True
    if old.final:
        return not (new.final and growth > 0)
    if growth > 0 or new.final:
        return False
    if heard.as_of_ns is not None:
        return heard.crossed(known.received_ns) and _RANK[new.status] <= _RANK[old.status]
    if new.updated_time and old.updated_time and new.updated_time != old.updated_time:
        return new.updated_time < old.updated_time
    return _RANK[new.status] < _RANK[old.status]


def _growth(old: Order, new: Order) -> int:
    """Sign of the change of the cumulative quantity; 0 where the report does not tell it."""
    if new.filled_quantity is None:
        return 0
    return compare(new.filled_quantity, old.filled_quantity or _NOTHING)
