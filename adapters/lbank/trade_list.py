"""The trades of a gap as a pair's list tells them, kept by order. Pure.

Its rows serve where LBank does not know the call for the trades of one order: the
documents of 2026 no longer describe that one. Whether a row's `id` is the `txUuid` of
the push is not documented: `told_trades` knows which were pushed under another name. It
forgets with a restart, and knows no push that comes after the list. So only what happened
in the gap itself is told from here, and at most a few trades at its bounds twice.
"""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from adapters.lbank.rows import fill_of_row
from gateway.contracts.told import Told, ToldFill, ToldUnrecognized
from gateway.events.numbers import CONTEXT, to_decimal
from gateway.events.times import to_nanoseconds


class ListedTrades:
    """What the lists of all pairs told."""

    def __init__(self) -> None:
        self.pairs: dict[str, str] = {}
        """Orders that traded: id → pair."""
        self._rows: dict[str, dict[bytes, msgspec.Raw]] = {}

    def note(self, order_id: str, pair: str, row: msgspec.Raw) -> None:
        """Keep a row; the bounds of two windows may both tell it."""
        self.pairs[order_id] = pair
        self._rows.setdefault(order_id, {})[bytes(row)] = row

    def of_order(self, order_id: str) -> list[ToldFill | ToldUnrecognized]:
        """What the list told of an order, oldest first."""
        pair = self.pairs.get(order_id, "")
        rows = self._rows.get(order_id, {}).values()
        return sorted((fill_of_row(row, pair, order_id) for row in rows), key=moment_of)


def total_of(told: Sequence[Told]) -> Decimal:
    """How much was traded in all."""
    total = Decimal(0)
    for each in told:
        if isinstance(each, ToldFill):
            total = CONTEXT.add(total, to_decimal(each.fill.quantity))
    return total


def moment_of(told: Told) -> int:
    """When a trade happened, in epoch ns; 0 where the row does not tell."""
    happened = told.venue_time if isinstance(told, ToldFill) else None
    return 0 if happened is None else to_nanoseconds(happened)
