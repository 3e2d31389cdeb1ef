"""An order's executions as REST lists them. Pure.

FMEX numbers no execution. They are counted instead: sorted by time, each one's
cumulative quantity before and after identifies it, which gives the same id as
the push that told of this execution alone.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from adapters.fmex.frames import MatchRow, decode_as, instant, number, optional_number
from gateway.contracts.told import ToldFill, ToldOrder
from gateway.events.model import Fill, Liquidity
from gateway.events.numbers import PlainDecimal, add, same

NOTHING: Final = PlainDecimal("0")


def count_executions(order: ToldOrder, rows: Iterable[msgspec.Raw]) -> list[ToldFill]:
    """The executions in the order in which they happened. Raises `NotUnderstood`."""
    matches = [(decode_as(MatchRow, row), str(row, "utf-8")) for row in rows]
    if matches and matches[0][0].created_at > matches[-1][0].created_at:
        matches.reverse()  # so that a stable sort keeps the order within a millisecond
    matches.sort(key=lambda match: match[0].created_at)
    fills: list[ToldFill] = []
    before = NOTHING
    for match, raw in matches:
        fills.append(_tell_execution(order, match, raw, before))
        before = add(before, fills[-1].fill.quantity)
    return fills


def explain(fills: list[ToldFill], order: ToldOrder) -> bool:
    """Whether these executions add up to what is filled of the order."""
    last = fills[-1].span if fills else None
    return same(last[1] if last is not None else NOTHING, order.order.filled_quantity)


def _tell_execution(told: ToldOrder, match: MatchRow, raw: str, before: PlainDecimal) -> ToldFill:
    quantity = number(match.quantity)
    fill = Fill(
        order_id=told.order.order_id,
        side=told.order.side,
        price=number(match.price),
        quantity=quantity,
        liquidity=_liquidity(match.taker),
        fee=optional_number(match.fee),
        fee_currency=told.order.fee_currency,
    )
    return ToldFill(
        fill=fill,
        symbol=told.symbol,
        venue_symbol=told.venue_symbol,
        venue_time=instant(match.created_at),
        raw=raw,
        span=(before, add(before, quantity)),
    )


def _liquidity(taker: Any) -> Liquidity | None:
    match taker:
        case True:
            return Liquidity.TAKER
        case False:
            return Liquidity.MAKER
        case _:
            return None
