"""The orders of one account, as last known, and what a report adds to them.

Pure, as the whole book is. `freshness` says which report is too old to matter;
the adapter's `reconcile` completes a report and derives fills from two states.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from gateway.accounts.ended import EndedOrders
from gateway.accounts.freshness import is_stale
from gateway.accounts.news import Heard, News, Scribe, Source
from gateway.accounts.rows import Rows, Section, load_section, read_section
from gateway.contracts.told import KnownOrder, Mark, Reconciled, ToldFill, ToldOrder
from gateway.events import identity
from gateway.events.identity import Facts
from gateway.events.model import Fill, Kind, OrderStatus, Origin
from gateway.events.numbers import compare, same, subtract
from gateway.events.times import Timestamp, to_nanoseconds

Reconcile = Callable[[KnownOrder | None, ToldOrder], Reconciled]

IDS_KEPT: Final = 32
"""Ids remembered per order (two a state), to tell a repeat from a state that came back."""

SLACK_NS: Final = 5 * 10**9
"""How much older than a gap a find may be. REST rounds times to seconds, and clocks differ;
what was told before is recognised by its id."""

# Python 3.11 takes 80 ns to find a member of an enum; here that happens with every frame.
_ORDER, _FILL = Kind.ORDER, Kind.FILL
_ORDERS = Section.ORDER
_PUSH = Origin.PUSH
_UNKNOWN = OrderStatus.UNKNOWN


class Orders:
    """Every order that is open or ended lately."""

    def __init__(self, scribe: Scribe, reconcile: Reconcile) -> None:
        self._scribe = scribe
        self._reconcile = reconcile
        self.known: dict[str, KnownOrder] = {}
        """By order id: those that are open, and those that ended since the last `tidy`."""
        self._just_ended: dict[str, None] = {}
        """The ids of the latter."""
        self._ended = EndedOrders()
        """Those that ended before."""
        self._marks: dict[str, Mark] = {}
        """How far fills are derived for orders that no report has shown yet."""

    def load(self, rows: Rows) -> None:
        """Take over what an earlier run knew."""
        self.known, self._just_ended, self._ended = {}, {}, EndedOrders()
        for order_id, known in read_section(rows, Section.ORDER):
            if known.order.final:
                self._ended.put(order_id, known)
            else:
                self.known[order_id] = known
        self._ended.sort()
        self._marks = load_section(rows, Section.MARK)

    def find(self, order_id: str) -> KnownOrder | None:
        """What is known of an order."""
        return self.known.get(order_id) or self._ended.find(order_id)

    def would_be_news(self, told: ToldOrder, heard: Heard) -> bool:
        """Tell whether `apply` would make an event of the order's state."""
        known = self.find(told.order.order_id)
        if known is None:
            return not _is_old_history(known, told, heard)
        return not is_stale(known, told, heard) and _moved(known, told)

    def apply(self, told: ToldOrder, heard: Heard, news: News) -> None:
        """Take an order's state, and the trade that came with it."""
        order_id = told.order.order_id
        known = self.find(order_id)
        trade_id = told.trade.fill.fill_id if told.trade is not None else None
        facts = identity.order_facts(told.order, trade_id=trade_id)
        facts_id = self._scribe.id_of(_ORDER, facts)
        if _is_old_history(known, told, heard) or (
            known is not None and is_stale(known, told, heard)
        ):
            news.stale += 1
        elif known is not None and self._is_repeat(known, told, facts_id):
            news.duplicate += 1
        elif known is not None and heard.as_of_ns is not None and not _moved(known, told):
            # REST repeats what is known, in other words than the push had.
            news.duplicate += 1
            self._learn(known, told, news)
        else:
            self._new_state(told, heard, news, facts=facts, facts_id=facts_id)
        if told.trade is not None:
            self.apply_fill(told.trade, heard, news)

    @staticmethod
    def _is_repeat(known: KnownOrder, told: ToldOrder, facts_id: str) -> bool:
        """A repeat is the current state again, or a trade's push that was counted before.

        A push that tells no cumulative quantity must not be added twice, however
        late its double comes; any other earlier state may come back for real.
        """
        if facts_id == known.ids_here[-2]:
            return True
        counted_by_trade = told.order.filled_quantity is None and told.trade is not None
        return counted_by_trade and facts_id in known.ids_here

    def _learn(self, known: KnownOrder, told: ToldOrder, news: News) -> None:
        """Take over what a repeat tells beyond the known state; that alone is no event."""
        completed = msgspec.structs.replace(
            self._reconcile(known, told).order,
            venue_status=known.order.venue_status,
            updated_time=known.order.updated_time or told.order.updated_time,
        )
        if completed != known.order:
            self._keep(msgspec.structs.replace(known, order=completed), news)

    def _new_state(
        self, told: ToldOrder, heard: Heard, news: News, *, facts: Facts, facts_id: str
    ) -> None:
        order_id = told.order.order_id
        known = self.find(order_id)
        if told.order.status is _UNKNOWN:
            news.unknown_words += 1
        reconciled = self._reconciled(known, told, heard, news)
        event_id = facts_id
        if known is not None and facts_id in known.ids_here:
            event_id = self._scribe.id_of(_ORDER, identity.replacing(facts, known.event_id))
        symbol = told.symbol or (known.symbol if known else None)
        venue_symbol = told.venue_symbol or (known.venue_symbol if known else None)
        earlier = known.ids_here if known is not None else ()
        state = KnownOrder(
            order=reconciled.order,
            symbol=symbol,
            venue_symbol=venue_symbol,
            mark=reconciled.mark,
            event_id=event_id,
            received_ns=heard.received_ns if heard.as_of_ns is None else heard.as_of_ns,
            ids_here=(*earlier[-IDS_KEPT:], facts_id, event_id),
        )
        self._keep(state, news)
        if self._marks.pop(order_id, None) is not None:
            self._scribe.change(news, Section.MARK, order_id, None)
        source = Source(told.raw, told.venue_time, symbol, venue_symbol)
        self._scribe.emit(news, heard, event_id, reconciled.order, source)
        for derived in reconciled.derived:
            self._emit_fill(derived, heard, news)
        if reconciled.trades_missing:
            news.trades_missing.append(order_id)

    def _reconciled(
        self, known: KnownOrder | None, told: ToldOrder, heard: Heard, news: News
    ) -> Reconciled:
        if known is not None:
            return self._reconcile(known, told)
        mark = self._marks.get(told.order.order_id)
        if mark is not None:
            return self._reconcile(None, msgspec.structs.replace(told, baseline=mark))
        if heard.origin is _PUSH or told.baseline is not None:
            return self._reconcile(None, told)
        created = told.order.created_time
        if (
            heard.since_ns is not None
            and created is not None
            and to_nanoseconds(created) >= heard.since_ns
        ):
            return self._reconcile(None, told)
        return self._first_seen_by_rest(told, heard, news)

    def _first_seen_by_rest(self, told: ToldOrder, heard: Heard, news: News) -> Reconciled:
        """Set the baseline where the order stands: nobody can tell when its fills happened."""
        result = self._reconcile(None, told)
        if result.derived and heard.since_ns is not None:
            news.uncertain.append(told.order.order_id)
        return msgspec.structs.replace(result, derived=())

    def apply_fill(self, told: ToldFill, heard: Heard, news: News) -> None:
        """Take an execution; a late one is a fill all the same."""
        if _is_before(told.venue_time, heard):
            news.duplicate += 1
            return
        if told.span is not None and told.fill.fill_id is None:
            clipped = self._above_mark(told, news)
            if clipped is None:
                news.duplicate += 1
                return
            told = clipped
        self._emit_fill(told, heard, news)

    def _above_mark(self, told: ToldFill, news: News) -> ToldFill | None:
        """The part of a spanned fill that was not derived yet; moves the mark over it."""
        assert told.span is not None
        before, after = told.span
        order_id = told.fill.order_id
        known = self.find(order_id)
        mark = known.mark if known is not None else self._marks.get(order_id)
        if mark is not None and compare(after, mark.quantity) <= 0:
            return None
        if mark is not None and compare(before, mark.quantity) < 0:
            before = mark.quantity
            fill = msgspec.structs.replace(told.fill, quantity=subtract(after, before))
            told = msgspec.structs.replace(told, fill=fill, span=(before, after))
        moved = Mark(after)
        if known is not None:
            self._keep(msgspec.structs.replace(known, mark=moved), news)
        else:
            self._marks[order_id] = moved
            self._scribe.change(news, Section.MARK, order_id, moved)
        return told

    def _emit_fill(self, told: ToldFill, heard: Heard, news: News) -> None:
        fill = told.fill
        known = self.find(fill.order_id)
        if fill.fill_id is not None:
            facts = identity.fill_facts(fill.order_id, fill.fill_id)
        elif told.span is not None:
            facts = identity.derived_fill_facts(fill.order_id, *told.span)
        else:
            # The venue tells neither: its time and values are all there is.
            facts = (fill.order_id, "untold", told.venue_time, fill.price, fill.quantity)
        if known is not None:
            fill = _completed(fill, known)
        source = Source(
            told.raw,
            told.venue_time,
            told.symbol or (known.symbol if known else None),
            told.venue_symbol or (known.venue_symbol if known else None),
        )
        self._scribe.emit(news, heard, self._scribe.id_of(_FILL, facts), fill, source)

    def _keep(self, known: KnownOrder, news: News) -> None:
        """Know this of an order from now on."""
        order_id = known.order.order_id
        self.known[order_id] = known
        self._scribe.change(news, _ORDERS, order_id, known)
        if known.order.final:
            self._just_ended[order_id] = None
            self._ended.discard(order_id)

    def tidy(self, now_ns: int, agreed_ns: int, news: News) -> None:
        """Pack what ended, and let go of what ended long ago or before many others.

        `agreed_ns`: when REST last agreed with the book. No reading asks for what
        ended before, or would make news of it.
        """
        for order_id in self._just_ended:
            self._ended.put(order_id, self.known.pop(order_id))
        self._just_ended.clear()
        for order_id in self._ended.let_go(now_ns, agreed_ns):
            self._scribe.change(news, _ORDERS, order_id, None)


def _is_old_history(known: KnownOrder | None, told: ToldOrder, heard: Heard) -> bool:
    """Whether REST lists an order that ended before the time in question."""
    order = told.order
    if heard.since_ns is None or known is not None or not order.final:
        return False
    latest = max(order.updated_time or "", order.created_time or "") or None
    return latest is not None and _is_before(Timestamp(latest), heard)


def _is_before(venue_time: Timestamp | None, heard: Heard) -> bool:
    if heard.since_ns is None or venue_time is None:
        return False
    return to_nanoseconds(venue_time) < heard.since_ns - SLACK_NS


def _completed(fill: Fill, known: KnownOrder) -> Fill:
    """Fill in what the execution's report left out and its order tells."""
    if fill.side is not None and fill.client_order_id is not None:
        return fill
    return msgspec.structs.replace(
        fill,
        side=fill.side or known.order.side,
        client_order_id=fill.client_order_id or known.order.client_order_id,
    )


def _moved(known: KnownOrder, told: ToldOrder) -> bool:
    old, new = known.order, told.order
    if new.status is not old.status:
        return True
    if not same(new.trigger_price, old.trigger_price):
        return True
    if new.filled_quantity is None or old.filled_quantity is None:
        return False
    return compare(new.filled_quantity, old.filled_quantity) != 0
