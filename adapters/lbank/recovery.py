"""Reading an account's state by REST: which pairs and orders to ask for, and in what order.

For each pair: open orders, the order history, and which orders traded in the gap.
Then, one by one: each order known as open that no list showed, and each order that
traded but was not listed. Then the trades of every order that moved. Then balances.

* LBank has no call for all pairs. The scope of a recovery is the configured pairs,
  those with a known order, and those seen lately.
* Whether the `id` in transaction_history is the `txUuid` of a push is not documented.
  So that list only tells *which* orders traded; the trades themselves are asked per
  order (order_transaction_detail), whose `txUuid` is that of the push. Where LBank
  does not know that call, the list has to serve (`trade_list`).
* A second may hold more trades than that list does. Then each listed order that changed
  in the gap is asked for its trades.
* Whether an order's trades are all there is checked: they must add up to its
  cumulative quantity. What does not is said in `RecoveryResult.detail`.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from decimal import Decimal
from typing import Final

import msgspec

from adapters.lbank import endpoints
from adapters.lbank.descent import Descent
from adapters.lbank.lists import Lists, Page
from adapters.lbank.normalise import Untellable, required_text
from adapters.lbank.refusals import UNKNOWN_CALL, Refused
from adapters.lbank.rows import Row, balance_of_row, balances_of_info, fill_of_row, order_of_row
from adapters.lbank.settings import Settings
from adapters.lbank.told_trades import ToldTrades
from adapters.lbank.trade_list import ListedTrades, moment_of, total_of
from adapters.lbank.venue_clock import VenueClock
from gateway.contracts.adapter import Finds, Known, Purpose, RecoveryPlan, RecoveryResult
from gateway.contracts.told import (
    Mark,
    Told,
    ToldBalance,
    ToldOrder,
    ToldUnrecognized,
)
from gateway.events.model import Order
from gateway.events.numbers import CONTEXT, compare, is_zero, to_decimal
from gateway.events.times import to_nanoseconds

PARTLY_CANCELLED: Final = "3"
"""A status that the history may leave out unless it is asked for."""

_DOUBTS_SHOWN: Final = 5
_NS: Final = 10**9
_ROUNDING_NS: Final = 2 * _NS
"""How much earlier than it was a trade may be listed."""


def plan_recovery(
    settings: Settings, known: Known, purpose: Purpose, since_ns: int | None
) -> RecoveryPlan:
    """Decide which pairs and orders to ask for."""
    pairs = {order.venue_symbol for order in known.open_orders.values() if order.venue_symbol}
    pairs |= {*settings.recovery.pairs, *settings.listed_pairs}
    if settings.pairs == "all":
        pairs |= set(known.venue_symbols)
    return RecoveryPlan(
        purpose=purpose,
        since_ns=since_ns,
        order_ids=tuple(known.open_orders),
        # However a push wrote it: REST takes lower case only.
        venue_symbols=tuple(sorted({pair.lower() for pair in pairs})),
        known=known,
    )


class Scope:
    """Which of an account's streams are followed."""

    def __init__(self, streams: Sequence[str]) -> None:
        self.orders: Final = not streams or "orders" in streams
        self.balances: Final = not streams or "balances" in streams


class Recovery:
    """One reading by one plan."""

    def __init__(
        self,
        lists: Lists,
        plan: RecoveryPlan,
        finds: Finds,
        scope: Scope,
        *,
        clock: VenueClock,
        told_trades: ToldTrades,
    ) -> None:
        self._lists = lists
        self._plan = plan
        self._finds = finds
        self._scope = scope
        self._clock = clock
        self._told_trades = told_trades
        self._doubts: list[str] = []
        self._listed: dict[str, ToldOrder] = {}
        """Orders read in this recovery, by id."""
        self._mark_before: dict[str, Mark | None] = {}
        """How far the book knew their fills until then."""
        self._trades = ListedTrades()
        self._trades_read = (0, 0)
        """When the list of trades was asked for and came, the last time."""
        self._cut_pairs: set[str] = set()
        """Pairs with more trades in a second than LBank lists."""

    async def run(self) -> RecoveryResult:
        """Read everything. Raises a `StreamError` when REST fails."""
        plan = self._plan
        if self._scope.orders:
            if plan.purpose is not Purpose.ORDER:
                await self._read_pairs()
            await self._read_single_orders()
            if plan.purpose in (Purpose.GAP, Purpose.ORDER):
                await self._read_trades()
        if self._scope.balances and plan.purpose is not Purpose.ORDER:
            await self._read_balances()
        return RecoveryResult(complete=not self._doubts, detail=self._detail())

    # --- pairs --------------------------------------------------------------------

    async def _read_pairs(self) -> None:
        plan = self._plan
        if not plan.venue_symbols:
            self._doubt("no pair is known to be asked for; name them in recovery.pairs")
        for pair in plan.venue_symbols:
            try:
                await self._read_pair(pair)
            except Refused as refused:
                self._doubt(f"{pair} could not be read: {refused}")
        since_ns = self._since_ns()
        if since_ns is not None and plan.purpose is Purpose.GAP:
            age = (self._clock.venue_ns() - since_ns) / _NS
            if age > self._lists.history_seconds:
                self._doubt(
                    "orders that came and went without a trade more than"
                    f" {self._lists.history_seconds / 3600:.0f} h ago are not listed"
                )

    async def _read_pair(self, pair: str) -> None:
        await self._tell_orders(self._lists.open_orders(pair), pair)
        since_ns = self._since_ns()
        if since_ns is None:
            return
        for status in (None, PARTLY_CANCELLED):
            await self._tell_orders(self._lists.history(pair, status), pair, since_ns)
        if self._plan.purpose is Purpose.GAP:
            await self._note_traded(pair, since_ns)

    async def _tell_orders(
        self, pages: AsyncGenerator[Page, None], pair: str, since_ns: int | None = None
    ) -> None:
        """Tell a list; with `since_ns` not more of it than was placed after that.

        What was placed before and has changed since was known as open, and is asked
        for by its id.
        """
        descent = Descent()
        # Closed here, since a reading may be cancelled between two pages.
        async with aclosing(pages):
            async for page in pages:
                told = [self._order(row, pair) for row in page.rows]
                await self._tell(told, page)
                if since_ns is not None and descent.goes_below(since_ns, told):
                    return

    def _order(self, row: msgspec.Raw, pair: str) -> Told:
        told = order_of_row(row, pair)
        if isinstance(told, ToldOrder):
            order_id = told.order.order_id
            # Without its text: a busy account's day of orders would take a lot of memory.
            self._listed[order_id] = msgspec.structs.replace(told, raw="")
            # Asked now: once it is told, the book knows of no trade that is missing.
            known = self._plan.known.find_order(order_id)
            self._mark_before.setdefault(order_id, known.mark if known is not None else None)
        return told

    async def _note_traded(self, pair: str, since_ns: int) -> None:
        now_ns = self._clock.venue_ns()
        earliest_ns = now_ns - endpoints.TRADES_KEPT_SECONDS * _NS
        if since_ns < earliest_ns:
            self._doubt("trades older than 90 days are not told")
        start_ns = max(since_ns, earliest_ns)
        async with aclosing(self._lists.trades(pair, start_ns, now_ns)) as pages:
            async for page in pages:
                if page.is_cut:
                    self._cut_pairs.add(pair)
                for raw in page.rows:
                    try:
                        order_id = required_text(Row(raw).first("orderId", "orderUuid", "order_id"))
                    except Untellable:
                        await self._tell([fill_of_row(raw, pair)], page)
                    else:
                        self._trades.note(order_id, pair, raw)
                self._trades_read = (page.sent_ns, page.received_ns)

    # --- single orders ---------------------------------------------------------------

    async def _read_single_orders(self) -> None:
        """Orders that no list showed: asking by id is the sure way."""
        wanted = [*self._plan.order_ids, *self._trades.pairs]
        for order_id in dict.fromkeys(wanted):
            if order_id not in self._listed:
                await self._read_order(order_id)

    async def _read_order(self, order_id: str) -> None:
        pair = self._pair_of(order_id)
        if pair is None:
            self._doubt(f"order {order_id} could not be asked for: its pair is not known")
            return
        try:
            page = await self._lists.order(pair, order_id)
        except Refused as refused:
            self._doubt(f"order {order_id} could not be read: {refused}")
            return
        await self._tell([self._order(row, pair) for row in page.rows], page)
        if order_id not in self._listed:
            self._doubt(f"LBank does not tell order {order_id}")

    def _pair_of(self, order_id: str) -> str | None:
        """The pair of an order, in the spelling that REST takes."""
        known = self._listed.get(order_id) or self._plan.known.find_order(order_id)
        pair = self._trades.pairs.get(order_id) or (known.venue_symbol if known else None)
        return None if pair is None else pair.lower()

    # --- trades ------------------------------------------------------------------------

    async def _read_trades(self) -> None:
        moved = [order_id for order_id, told in self._listed.items() if self._has_moved(told)]
        for order_id in dict.fromkeys([*moved, *self._trades.pairs]):
            pair = self._pair_of(order_id)
            if pair is not None:
                await self._read_trades_of(order_id, pair)

    def _has_moved(self, told: ToldOrder) -> bool:
        """Whether an order holds trades that nobody told yet."""
        order = told.order
        if order.filled_quantity is None or is_zero(order.filled_quantity):
            return False
        if order.order_id in self._plan.order_ids and self._plan.purpose is Purpose.ORDER:
            return True
        if (told.venue_symbol or "").lower() in self._cut_pairs and self._is_recent(order):
            # Whatever is known of it: an earlier reading may have told it without its trades.
            return True
        mark = self._mark_before[order.order_id]
        # What an unknown order traded in the gap stands in the trade list; the rest is older.
        return mark is not None and compare(order.filled_quantity, mark.quantity) > 0

    def _is_recent(self, order: Order) -> bool:
        """Whether an order changed in the time in question, as far as its row tells."""
        since_ns, changed = self._since_ns(), order.updated_time or order.created_time
        return since_ns is None or changed is None or to_nanoseconds(changed) >= since_ns

    async def _read_trades_of(self, order_id: str, pair: str) -> None:
        try:
            page = await self._lists.order_trades(pair, order_id)
        except Refused as refused:
            if refused.code == UNKNOWN_CALL:
                await self._tell_listed_trades(order_id, pair)
            else:
                self._doubt(f"the trades of order {order_id} could not be read: {refused}")
            return
        told: list[Told] = [fill_of_row(row, pair, order_id) for row in page.rows]
        await self._tell(told, page)
        filled = self._filled(order_id)
        if filled is not None and total_of(told) < filled:
            self._doubt(f"the trades of order {order_id} add up to {total_of(told)} of {filled}")

    async def _tell_listed_trades(self, order_id: str, pair: str) -> None:
        """Tell what the pair's list holds of an order; what it told before the gap is known."""
        created = self._listed[order_id].order.created_time if order_id in self._listed else None
        if self._untold(order_id) and created is not None:
            # The book need not know how much was filled before the gap: pushes may leave it out.
            await self._note_traded(pair, to_nanoseconds(created))
        since_ns = self._clock.at_venue(self._plan.since_ns or 0) - _ROUNDING_NS
        sent_ns, received_ns = self._trades_read
        listed = self._trades.of_order(order_id)
        untold = self._told_trades.untold(order_id, listed)
        told = [each for each in untold if moment_of(each) >= since_ns]
        await self._tell(told, Page([], sent_ns, received_ns))
        if lacking := self._untold(order_id):
            self._doubt(f"the listed trades of order {order_id} lack {lacking} of what it filled")

    def _untold(self, order_id: str) -> Decimal:
        """How much of an order was filled beyond what is known and what the list holds."""
        filled, mark = self._filled(order_id), self._mark_before.get(order_id)
        if filled is None:
            return Decimal(0)
        before = Decimal(0) if mark is None else to_decimal(mark.quantity)
        lacking = CONTEXT.subtract(filled, before)
        return max(CONTEXT.subtract(lacking, total_of(self._trades.of_order(order_id))), Decimal(0))

    def _filled(self, order_id: str) -> Decimal | None:
        order = self._listed.get(order_id)
        filled = order.order.filled_quantity if order is not None else None
        return None if filled is None else to_decimal(filled)

    # --- balances ----------------------------------------------------------------------

    async def _read_balances(self) -> None:
        page, by_asset = await self._lists.balances()
        told: list[Told] = []
        for raw in page.rows:
            told += [balance_of_row(raw)] if by_asset else balances_of_info(raw)
        if not told:
            self._doubt("LBank told no balances")
        known = set(self._plan.known.assets)
        kept = [each for each in told if not _is_empty(each) or _asset(each) in known]
        await self._tell(kept, page)
        if self._plan.purpose is Purpose.GAP and self._scope.orders:
            self._doubt_strangers(kept, known)

    def _doubt_strangers(self, told: Sequence[Told], known: set[str]) -> None:
        """An asset that was never seen, and that no asked pair trades, came from elsewhere."""
        asked = {
            part.upper() for pair in self._plan.venue_symbols for part in pair.rpartition("_")[::2]
        }
        strangers = sorted({_asset(each) for each in told} - known - asked - {""})
        if strangers:
            self._doubt(
                f"{', '.join(strangers)} came to the account, which no pair that was asked"
                " trades; if it was bought, name its pair in recovery.pairs"
            )

    # --- shared --------------------------------------------------------------------------

    def _since_ns(self) -> int | None:
        """The beginning of the time in question, by LBank's clock, with some slack."""
        if self._plan.since_ns is None:
            return None
        return self._clock.at_venue(self._plan.since_ns) - int(endpoints.LATE_SECONDS * _NS)

    async def _tell(self, told: Sequence[Told], page: Page) -> None:
        if any(isinstance(each, ToldUnrecognized) for each in told):
            self._doubt("a row was not understood")
        if told:
            await self._finds.hear(told, page.received_ns, page.sent_ns)

    def _detail(self) -> str:
        shown = self._doubts[:_DOUBTS_SHOWN]
        more = len(self._doubts) - len(shown)
        return "; ".join([*shown, f"and {more} more"] if more else shown)

    def _doubt(self, words: str) -> None:
        if words not in self._doubts:
            self._doubts.append(words)


def _is_empty(told: Told) -> bool:
    return isinstance(told, ToldBalance) and is_zero(told.balance.total)


def _asset(told: Told) -> str:
    return told.balance.asset if isinstance(told, ToldBalance) else ""
