"""Orders and their executions by REST.

Open orders first, then closed ones, then each order that was known as open and
stands in neither: whatever ends while we read is in a later list than it was.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import msgspec

from adapters.fmex.calls import Calls, Reading
from adapters.fmex.endpoints import (
    CLOSED_ORDERS_PATH,
    CLOSED_PAGE_ROWS,
    MATCHES_PATH,
    OPEN_ORDERS_PATH,
    ORDER_PATH,
)
from adapters.fmex.executions import NOTHING, count_executions, explain
from adapters.fmex.frames import (
    ClosedPage,
    NotUnderstood,
    OrderRow,
    Results,
    decode_as,
    instant,
)
from adapters.fmex.normalise import tell_order
from adapters.fmex.refusals import NotFound
from adapters.fmex.venue_clock import VenueClock
from gateway.contracts.adapter import Finds, Purpose, RecoveryPlan
from gateway.contracts.told import KnownOrder, Mark, Told, ToldFill, ToldOrder, ToldUnrecognized
from gateway.events.numbers import compare
from gateway.events.times import to_milliseconds

SLACK_MS: Final = 5_000
"""How much further back than a gap is read: clocks differ, and what is read twice is known."""

_TRIES: Final = 2
"""How often an order and its executions are read until they agree: both move while it trades."""

_CHINA: Final = timezone(timedelta(hours=8))
"""Where FMEX was at home. Nobody says by which clock it divides months."""


class OrderHistory:
    """Reads orders for one recovery; adds to `doubts` what could not be proven."""

    def __init__(
        self,
        calls: Calls,
        plan: RecoveryPlan,
        finds: Finds,
        clock: VenueClock,
        doubts: list[str],
    ) -> None:
        self._calls = calls
        self._plan = plan
        self._finds = finds
        self._now_ms = clock.now_ms()
        since_ns = plan.since_ns
        self._since_ms = self._now_ms if since_ns is None else clock.to_venue_ms(since_ns)
        self._doubts = doubts
        self._read_ids: set[str] = set()

    async def read_single(self) -> None:
        """Read the plan's orders one by one."""
        for order_id in self._plan.order_ids:
            await self._read_by_id(order_id)

    async def read_all(self) -> None:
        """Read open and closed orders, and those known as open that are in neither."""
        reading = await self._calls.read(OPEN_ORDERS_PATH)
        for row in reading.read_as(Results).rows:
            await self._hand_over(self._tell(row, None), reading)
        if self._plan.purpose is Purpose.SNAPSHOT:
            return
        for symbol in self._plan.venue_symbols:
            for month in months_between(self._since_ms - SLACK_MS, self._now_ms):
                await self._read_month(symbol, month)
        for order_id in self._plan.order_ids:
            if order_id not in self._read_ids:
                await self._read_by_id(order_id)

    async def _read_month(self, symbol: str, month: str) -> None:
        """Read pages, newest first, until one holds nothing of the time in question.

        An order that was placed before that and ended within it may stand further
        back: it is known as open, and read by its id.
        """
        offset = "0"
        while True:
            params = {
                "symbol": symbol,
                "range": month,
                "offsetId": offset,
                "limit": str(CLOSED_PAGE_ROWS),
            }
            reading = await self._calls.read(CLOSED_ORDERS_PATH, params)
            page = reading.read_as(ClosedPage)
            recent = [await self._take_closed(row, reading, symbol) for row in page.rows]
            following = _next_offset(page)
            if following is None or following == offset or not any(recent):
                return
            offset = following

    async def _read_by_id(self, order_id: str) -> None:
        known = self._known(order_id)
        found = await self._read_order(order_id, known.venue_symbol if known else None)
        if found is None:
            self._doubts.append(f"FMEX does not know order {order_id} any more")
        else:
            await self._hand_over(*found)

    async def _read_order(
        self, order_id: str, symbol: str | None
    ) -> tuple[ToldOrder | ToldUnrecognized, Reading] | None:
        try:
            reading = await self._calls.read(ORDER_PATH.format(order_id=order_id))
        except NotFound:
            return None
        return self._tell(reading.data, symbol), reading

    # --- one order ----------------------------------------------------------

    async def _take_closed(self, row: msgspec.Raw, reading: Reading, symbol: str) -> bool:
        """Take a closed order; False when it ended before the time in question."""
        told = self._tell(row, symbol)
        if isinstance(told, ToldOrder) and self._is_past(told):
            return False
        await self._hand_over(told, reading)
        return True

    def _tell(self, row: msgspec.Raw, symbol: str | None) -> ToldOrder | ToldUnrecognized:
        raw = str(row, "utf-8")
        try:
            order = decode_as(OrderRow, row)
            return tell_order(order, raw, updated=instant(order.updated_at), symbol=symbol)
        except NotUnderstood as error:
            self._doubts.append(f"an order could not be understood ({error.reason})")
            return ToldUnrecognized(reason=error.reason, frame=raw)

    def _is_past(self, told: ToldOrder) -> bool:
        ended = told.order.updated_time
        return ended is not None and to_milliseconds(ended) < self._since_ms - SLACK_MS

    async def _hand_over(self, told: ToldOrder | ToldUnrecognized, reading: Reading) -> None:
        if isinstance(told, ToldUnrecognized):
            await self._hear([told], reading)
        elif self._is_followed(told):
            self._read_ids.add(told.order.order_id)
            if self._has_untold_fills(told):
                await self._hand_over_with_fills(told, reading)
            else:
                await self._hear([told], reading)

    def _is_followed(self, told: ToldOrder) -> bool:
        """Leave out contracts whose pushes nobody asked for."""
        scope, symbol = self._plan.venue_symbols, told.venue_symbol
        return not scope or symbol is None or symbol.upper() in scope

    def _has_untold_fills(self, told: ToldOrder) -> bool:
        """Whether executions must be read: a check and a snapshot look at states only."""
        filled = told.order.filled_quantity
        if filled is None or self._plan.purpose not in (Purpose.GAP, Purpose.ORDER):
            return False
        known = self._known(told.order.order_id)
        return compare(filled, known.mark.quantity if known is not None else NOTHING) > 0

    async def _hand_over_with_fills(
        self, told: ToldOrder, reading: Reading, tries: int = _TRIES
    ) -> None:
        """Tell the executions, then the order with the mark that they reach.

        Where they never explain what is filled, the order is told alone: the house
        derives what follows from its states.
        """
        order = told.order
        fills = await self._read_executions(told)
        if fills is not None and explain(fills, told):
            reached = Mark(order.filled_quantity or NOTHING, order.average_price, order.fee)
            await self._hear([*fills, msgspec.structs.replace(told, baseline=reached)], reading)
            return
        again = await self._read_order(order.order_id, told.venue_symbol) if tries > 1 else None
        if again is not None and isinstance(again[0], ToldOrder):
            await self._hand_over_with_fills(again[0], again[1], tries - 1)
            return
        self._doubts.append(f"the executions of order {order.order_id} do not add up to its fills")
        await self._hear([told], reading)

    async def _read_executions(self, told: ToldOrder) -> list[ToldFill] | None:
        try:
            path = MATCHES_PATH.format(order_id=told.order.order_id)
            reading = await self._calls.read(path)
            return count_executions(told, reading.read_as(Results).rows)
        except (NotFound, NotUnderstood):
            return None

    # --- shared -------------------------------------------------------------

    def _known(self, order_id: str) -> KnownOrder | None:
        known = self._plan.known
        return known.find_order(order_id) or known.open_orders.get(order_id)

    async def _hear(self, told: Sequence[Told], reading: Reading) -> None:
        await self._finds.hear(told, reading.received_ns, reading.sent_ns)


def months_between(first_ms: int, last_ms: int) -> list[str]:
    """The months from one instant to another as ``YYYYMM``, newest first.

    Both ends reach as far as any of the clocks in question puts them.
    """
    first = datetime.fromtimestamp(min(first_ms, last_ms) / 1000, UTC)
    last = datetime.fromtimestamp(last_ms / 1000, _CHINA)
    start, end = first.year * 12 + first.month - 1, last.year * 12 + last.month - 1
    return [f"{month // 12:04}{month % 12 + 1:02}" for month in range(end, start - 1, -1)]


def _next_offset(page: ClosedPage) -> str | None:
    """Where the next page begins; a short page is the last one if nothing else is said."""
    more = len(page.rows) >= CLOSED_PAGE_ROWS if page.has_more is None else page.has_more
    if not more or page.next_offset_id is None:
        return None
    return str(page.next_offset_id)
