"""The last known state of one account, and what a report adds to it.

Pure: reports go in, events and changed rows come out; no I/O, no waiting. The
caller hands both to the journal in one step, so memory, rows and events cannot
part. The rules of what is new stand in `freshness`; what completes a report or
follows from two states is the adapter's `reconcile`.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgspec

from gateway.accounts.freshness import is_stale
from gateway.accounts.rows import (
    BookChange,
    KnownBalance,
    KnownPosition,
    Rows,
    Section,
    StreamKey,
    change,
    load_section,
    load_stream,
)
from gateway.contracts.adapter import Known
from gateway.contracts.told import (
    KnownOrder,
    Mark,
    Reconciled,
    Told,
    ToldBalance,
    ToldFill,
    ToldOrder,
    ToldPosition,
    ToldUnrecognized,
)
from gateway.events import identity
from gateway.events.identity import Facts
from gateway.events.model import (
    Body,
    Event,
    Fill,
    Kind,
    OrderStatus,
    Origin,
    PositionSide,
    Unrecognized,
)
from gateway.events.numbers import compare, is_zero, subtract
from gateway.events.times import Timestamp, from_nanoseconds, to_nanoseconds
from gateway.telemetry.redaction import Redactor

Reconcile = Callable[[KnownOrder | None, ToldOrder], Reconciled]

IDS_KEPT: Final = 32
"""Ids remembered per order (two a state), to tell a repeat from a state that came back."""

FINAL_ORDERS_KEPT_NS: Final = 3 * 24 * 3600 * 10**9
"""A final order stays for three days, so that late reports find it. An open one
is never aged out."""

PRUNE_EVERY: Final = 1_000
"""Reports between two looks for final orders to drop."""

SLACK_NS: Final = 5 * 10**9
"""How much older than a gap a find may be. REST rounds times to seconds, and clocks differ;
what was told before is recognised by its id."""

SYMBOL_SEEN_NS: Final = 7 * 24 * 3600 * 10**9
"""'Seen lately', for the pairs that a recovery asks for."""

TEXTS_KEPT: Final = 20_000
"""Distinct unrecognized texts counted before the counts start a new generation."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """The circumstances of a report."""

    origin: Origin
    received_ns: int
    as_of_ns: int | None = None
    """For REST: when the request was sent. None for a push."""
    since_ns: int | None = None
    """For a recovery: only what happened after this, by the venue's clock, is news."""


class News(msgspec.Struct, kw_only=True):
    """What a report added."""

    events: list[Event] = msgspec.field(default_factory=list)
    changes: list[BookChange] = msgspec.field(default_factory=list)
    stale: int = 0
    duplicate: int = 0
    trades_missing: list[str] = msgspec.field(default_factory=list)
    """Orders whose trades must be asked by REST."""
    uncertain: list[str] = msgspec.field(default_factory=list)
    """Orders first seen by a recovery whose fills before and after the gap cannot be told apart."""
    unrecognized: list[str] = msgspec.field(default_factory=list)
    """Reasons, one per frame not understood."""
    unknown_words: int = 0


class Book:
    """What is known of one account."""

    def __init__(
        self, account: str, venue: str, *, reconcile: Reconcile, redactor: Redactor
    ) -> None:
        self._account = account
        self._venue = venue
        self._reconcile = reconcile
        self._redactor = redactor
        self.orders: dict[str, KnownOrder] = {}
        self.balances: dict[str, KnownBalance] = {}
        self.positions: dict[str, KnownPosition] = {}
        self._marks: dict[str, Mark] = {}
        self._symbols: dict[str, int] = {}
        self._texts: dict[str, int] = {}
        self._generation = 0
        self._reports = 0

    def load(self, rows: Rows) -> None:
        """Take over what an earlier run knew."""
        self.orders = load_section(rows, Section.ORDER)
        self.balances = load_section(rows, Section.BALANCE)
        self.positions = load_section(rows, Section.POSITION)
        self._marks = load_section(rows, Section.MARK)
        self._symbols = load_section(rows, Section.SYMBOL)
        self._texts = load_section(rows, Section.UNRECOGNIZED)
        self._generation = load_stream(rows, StreamKey.GENERATION, int) or 0

    def known(self, now_ns: int) -> Known:
        """What a recovery may want to ask for."""
        open_orders = {key: known for key, known in self.orders.items() if not known.order.final}
        seen = {name for name, at in self._symbols.items() if now_ns - at < SYMBOL_SEEN_NS}
        seen |= {known.venue_symbol for known in open_orders.values() if known.venue_symbol}
        return Known(
            open_orders=open_orders,
            venue_symbols=tuple(sorted(seen)),
            assets=tuple(sorted(self.balances)),
            held_symbols=tuple(
                sorted(
                    name
                    for name, held in self.positions.items()
                    if name and held.body.side is not PositionSide.FLAT
                )
            ),
            find_order=self.orders.get,
        )

    def apply(self, told: Iterable[Told], heard: Heard) -> News:
        """Take reports in order and say what is new in them."""
        news = News()
        for each in told:
            self._APPLY[type(each)](self, each, heard, news)
            self._reports += 1
        if self._reports >= PRUNE_EVERY:
            self._reports = 0
            self._prune(heard.received_ns, news)
        return news

    def would_be_news(self, told: Sequence[Told], heard: Heard) -> list[Told]:
        """Those of `told` that `apply` would make events of; changes nothing.

        A periodic check asks this before it raises an alarm.
        """
        return [each for each in told if self._is_news(each, heard)]

    # --- orders -------------------------------------------------------------

    def _apply_order(self, told: ToldOrder, heard: Heard, news: News) -> None:
        order_id = told.order.order_id
        known = self.orders.get(order_id)
        trade_id = told.trade.fill.fill_id if told.trade is not None else None
        facts = identity.order_facts(told.order, trade_id=trade_id)
        facts_id = self._id(Kind.ORDER, facts)
        if _is_old_history(known, told, heard) or (
            known is not None and is_stale(known, told, heard.as_of_ns)
        ):
            news.stale += 1
        elif known is not None and self._is_repeat(known, told, facts_id):
            news.duplicate += 1
        else:
            self._new_state(told, heard, news, facts=facts, facts_id=facts_id)
        if told.trade is not None:
            self._apply_fill(told.trade, heard, news)

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

    def _new_state(
        self, told: ToldOrder, heard: Heard, news: News, *, facts: Facts, facts_id: str
    ) -> None:
        order_id = told.order.order_id
        known = self.orders.get(order_id)
        if told.order.status is OrderStatus.UNKNOWN:
            news.unknown_words += 1
        reconciled = self._reconciled(known, told, heard, news)
        event_id = facts_id
        if known is not None and facts_id in known.ids_here:
            event_id = self._id(Kind.ORDER, identity.replacing(facts, known.event_id))
        symbol = told.symbol or (known.symbol if known else None)
        venue_symbol = told.venue_symbol or (known.venue_symbol if known else None)
        earlier = known.ids_here if known is not None else ()
        self.orders[order_id] = KnownOrder(
            order=reconciled.order,
            symbol=symbol,
            venue_symbol=venue_symbol,
            mark=reconciled.mark,
            event_id=event_id,
            received_ns=heard.received_ns if heard.as_of_ns is None else heard.as_of_ns,
            ids_here=(*earlier[-IDS_KEPT:], facts_id, event_id),
        )
        self._change(news, Section.ORDER, order_id, self.orders[order_id])
        if self._marks.pop(order_id, None) is not None:
            self._change(news, Section.MARK, order_id, None)
        self._see_symbol(venue_symbol, heard.received_ns, news)
        self._emit(
            news, heard, event_id, reconciled.order,
            symbol=symbol, venue_symbol=venue_symbol, venue_time=told.venue_time, raw=told.raw,
        )  # fmt: skip
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
        if heard.origin is Origin.PUSH or told.baseline is not None:
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

    # --- fills --------------------------------------------------------------

    def _apply_fill(self, told: ToldFill, heard: Heard, news: News) -> None:
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
        known = self.orders.get(order_id)
        mark = known.mark if known is not None else self._marks.get(order_id)
        if mark is not None and compare(after, mark.quantity) <= 0:
            return None
        if mark is not None and compare(before, mark.quantity) < 0:
            before = mark.quantity
            fill = msgspec.structs.replace(told.fill, quantity=subtract(after, before))
            told = msgspec.structs.replace(told, fill=fill, span=(before, after))
        moved = Mark(after)
        if known is not None:
            self.orders[order_id] = msgspec.structs.replace(known, mark=moved)
            self._change(news, Section.ORDER, order_id, self.orders[order_id])
        else:
            self._marks[order_id] = moved
            self._change(news, Section.MARK, order_id, moved)
        return told

    def _emit_fill(self, told: ToldFill, heard: Heard, news: News) -> None:
        fill = told.fill
        known = self.orders.get(fill.order_id)
        if fill.fill_id is not None:
            facts = identity.fill_facts(fill.order_id, fill.fill_id)
        elif told.span is not None:
            facts = identity.derived_fill_facts(fill.order_id, *told.span)
        else:
            # The venue tells neither: its time and values are all there is.
            facts = (fill.order_id, "untold", told.venue_time, fill.price, fill.quantity)
        if known is not None:
            fill = _completed(fill, known)
        self._emit(
            news, heard, self._id(Kind.FILL, facts), fill,
            symbol=told.symbol or (known.symbol if known else None),
            venue_symbol=told.venue_symbol or (known.venue_symbol if known else None),
            venue_time=told.venue_time, raw=told.raw,
        )  # fmt: skip

    # --- balances and positions ---------------------------------------------

    def _apply_balance(self, told: ToldBalance, heard: Heard, news: News) -> None:
        known = self.balances.get(told.balance.asset)
        facts = identity.balance_facts(told.balance, told.venue_time)
        event_id = self._state_id(Kind.BALANCE, facts, told, known, heard)
        if event_id is None or not self._differs_or_matters(told, known, heard):
            news.duplicate += 1
            return
        self.balances[told.balance.asset] = KnownBalance(
            body=told.balance,
            event_id=event_id,
            venue_time=told.venue_time,
            received_ns=heard.as_of_ns or heard.received_ns,
        )
        asset = told.balance.asset
        self._change(news, Section.BALANCE, asset, self.balances[asset])
        self._emit(news, heard, event_id, told.balance, venue_time=told.venue_time, raw=told.raw)

    def _apply_position(self, told: ToldPosition, heard: Heard, news: News) -> None:
        key = told.venue_symbol or ""
        known = self.positions.get(key)
        facts = identity.position_facts(told.position, told.venue_symbol, told.venue_time)
        event_id = self._state_id(Kind.POSITION, facts, told, known, heard)
        if event_id is None or not self._differs_or_matters(told, known, heard):
            news.duplicate += 1
            return
        self.positions[key] = KnownPosition(
            body=told.position,
            symbol=told.symbol,
            event_id=event_id,
            venue_time=told.venue_time,
            received_ns=heard.as_of_ns or heard.received_ns,
        )
        self._change(news, Section.POSITION, key, self.positions[key])
        self._see_symbol(told.venue_symbol, heard.received_ns, news)
        self._emit(
            news, heard, event_id, told.position,
            symbol=told.symbol, venue_symbol=told.venue_symbol,
            venue_time=told.venue_time, raw=told.raw,
        )  # fmt: skip

    def _state_id(
        self,
        kind: Kind,
        facts: Facts,
        told: ToldBalance | ToldPosition,
        known: KnownBalance | KnownPosition | None,
        heard: Heard,
    ) -> str | None:
        """The id of a state, or None where it is older than or the same as the known one."""
        if told.venue_time is None:
            if known is not None and heard.as_of_ns and heard.as_of_ns <= known.received_ns:
                return None
            facts = identity.replacing(facts, known.event_id if known is not None else None)
        elif known is not None and known.venue_time and told.venue_time < known.venue_time:
            return None
        event_id = self._id(kind, facts)
        return None if known is not None and event_id == known.event_id else event_id

    @staticmethod
    def _differs_or_matters(
        told: ToldBalance | ToldPosition,
        known: KnownBalance | KnownPosition | None,
        heard: Heard,
    ) -> bool:
        """Whether a state read by REST is worth an event; a push always is.

        REST repeats what is known and lists what is empty: neither is news.
        """
        if heard.origin is Origin.PUSH:
            return True
        body: Any = told.balance if isinstance(told, ToldBalance) else told.position
        if known is not None:
            return not _same_values(body, known.body)
        return not is_zero(body.total if isinstance(told, ToldBalance) else body.quantity)

    # --- what was not understood ----------------------------------------------

    def _apply_unrecognized(self, told: ToldUnrecognized, heard: Heard, news: News) -> None:
        text = self._redactor.redact(told.frame)
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        if key not in self._texts and len(self._texts) >= TEXTS_KEPT:
            self._start_generation(news)
        count = self._texts.get(key, 0) + 1
        self._texts[key] = count
        self._change(news, Section.UNRECOGNIZED, key, count)
        facts = (key, str(count), str(self._generation))
        body = Unrecognized(reason=told.reason, frame=text, encoding=told.encoding)
        news.unrecognized.append(told.reason)
        event_id = self._id(Kind.UNRECOGNIZED, facts)
        self._emit(news, heard, event_id, body, raw=told.frame)

    def _start_generation(self, news: News) -> None:
        for key in self._texts:
            self._change(news, Section.UNRECOGNIZED, key, None)
        self._texts.clear()
        self._generation += 1
        self._change(news, Section.STREAM, StreamKey.GENERATION.value, self._generation)

    # --- shared ---------------------------------------------------------------

    _APPLY: Final[dict[type, Callable[..., None]]] = {
        ToldOrder: _apply_order,
        ToldFill: _apply_fill,
        ToldBalance: _apply_balance,
        ToldPosition: _apply_position,
        ToldUnrecognized: _apply_unrecognized,
    }

    def _is_news(self, told: Told, heard: Heard) -> bool:
        match told:
            case ToldOrder():
                known = self.orders.get(told.order.order_id)
                if known is None:
                    return not _is_old_history(known, told, heard)
                return not is_stale(known, told, heard.as_of_ns) and _moved(known, told)
            case ToldBalance():
                balance = self.balances.get(told.balance.asset)
                facts = identity.balance_facts(told.balance, told.venue_time)
                state = self._state_id(Kind.BALANCE, facts, told, balance, heard)
                return state is not None and self._differs_or_matters(told, balance, heard)
            case ToldPosition():
                position = self.positions.get(told.venue_symbol or "")
                facts = identity.position_facts(told.position, told.venue_symbol, told.venue_time)
                state = self._state_id(Kind.POSITION, facts, told, position, heard)
                return state is not None and self._differs_or_matters(told, position, heard)
            case _:
                # A fill belongs to an order whose own state shows whether it was told.
                return False

    def _id(self, kind: Kind, facts: Facts) -> str:
        return identity.digest(self._account, self._venue, kind, facts)

    def _change(self, news: News, section: Section, key: str, value: Any) -> None:
        news.changes.append(change(self._account, section, key, value))

    def _see_symbol(self, venue_symbol: str | None, at_ns: int, news: News) -> None:
        """Note that a symbol is in use; once an hour is often enough."""
        if venue_symbol is None:
            return
        if at_ns - self._symbols.get(venue_symbol, 0) > 3600 * 10**9:
            self._symbols[venue_symbol] = at_ns
            self._change(news, Section.SYMBOL, venue_symbol, at_ns)

    def _emit(
        self,
        news: News,
        heard: Heard,
        event_id: str,
        body: Body,
        *,
        symbol: str | None = None,
        venue_symbol: str | None = None,
        venue_time: Timestamp | None = None,
        raw: str,
    ) -> None:
        news.events.append(
            Event(
                id=event_id,
                account=self._account,
                venue=self._venue,
                symbol=symbol,
                venue_symbol=venue_symbol,
                origin=heard.origin,
                venue_time=venue_time,
                received_time=from_nanoseconds(heard.received_ns),
                body=body,
                raw=self._redactor.redact(raw),
            )
        )

    def _prune(self, now_ns: int, news: News) -> None:
        old = [
            order_id
            for order_id, known in self.orders.items()
            if known.order.final and now_ns - known.received_ns > FINAL_ORDERS_KEPT_NS
        ]
        for order_id in old:
            del self.orders[order_id]
            self._change(news, Section.ORDER, order_id, None)


def _is_old_history(known: KnownOrder | None, told: ToldOrder, heard: Heard) -> bool:
    """Whether REST lists an order that ended before the time in question."""
    order = told.order
    latest = max(order.updated_time or "", order.created_time or "") or None
    return (
        known is None
        and order.final
        and latest is not None
        and _is_before(Timestamp(latest), heard)
    )


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
    if new.filled_quantity is None or old.filled_quantity is None:
        return False
    return compare(new.filled_quantity, old.filled_quantity) != 0


_TIMES: Final = frozenset({"updated_time", "reason"})


def _same_values(left: Any, right: Any) -> bool:
    """Equal numbers are equal however they are written; times and causes do not count."""
    for name in left.__struct_fields__:
        mine, other = getattr(left, name), getattr(right, name)
        if mine == other or name in _TIMES:
            continue
        if not isinstance(mine, str) or not isinstance(other, str):
            return False
        if not _same_number(mine, other):
            return False
    return True


def _same_number(left: str, right: str) -> bool:
    try:
        return compare(left, right) == 0  # type: ignore[arg-type]  # words fail, and are unequal
    except ArithmeticError:
        return False
