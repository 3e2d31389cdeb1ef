"""The last known state of one account, and what a report adds to it.

Pure: reports go in, events and changed rows come out; no I/O, no waiting. The
caller hands both to the journal in one step, so memory, rows and events cannot
part. The book has three parts: `orders` (with their fills), `holdings` (balances
and positions) and `oddities` (frames not understood).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from gateway.accounts.holdings import Holdings
from gateway.accounts.news import Heard, News, Scribe
from gateway.accounts.oddities import Oddities
from gateway.accounts.orders import Orders, Reconcile
from gateway.accounts.rows import Rows, Section, StreamKey, load_section, load_stream
from gateway.contracts.adapter import Known
from gateway.contracts.told import Told, ToldBalance, ToldFill, ToldOrder, ToldPosition
from gateway.telemetry.redaction import Redactor

TIDY_EVERY: Final = 100
"""Reports between two looks for orders that ended."""

SYMBOL_SEEN_NS: Final = 7 * 24 * 3600 * 10**9
"""'Seen lately', for the pairs that a recovery asks for."""

_SYMBOL_NOTED_NS: Final = 3600 * 10**9
"""A symbol in use is noted once an hour, not with every push."""


class Book:
    """What is known of one account."""

    def __init__(
        self, account: str, venue: str, *, reconcile: Reconcile, redactor: Redactor
    ) -> None:
        self._scribe = Scribe(account, venue, redactor)
        self.orders = Orders(self._scribe, reconcile)
        self.holdings = Holdings(self._scribe)
        self._oddities = Oddities(self._scribe)
        self._symbols: dict[str, int] = {}
        """The venue's symbols in use, and when that was noted."""
        self.agreed_ns = 0
        """When REST last agreed: nothing that ended before is asked for any more."""
        self._reports = 0

    def load(self, rows: Rows) -> None:
        """Take over what an earlier run knew."""
        self.orders.load(rows)
        self.holdings.load(rows)
        self._oddities.load(rows)
        self._symbols = load_section(rows, Section.SYMBOL)
        self.agreed_ns = load_stream(rows, StreamKey.AGREED, int) or 0

    def known(self, now_ns: int) -> Known:
        """What a recovery may want to ask for."""
        known_orders = self.orders.known.items()
        open_orders = {key: known for key, known in known_orders if not known.order.final}
        seen = {name for name, at in self._symbols.items() if now_ns - at < SYMBOL_SEEN_NS}
        seen |= {known.venue_symbol for known in open_orders.values() if known.venue_symbol}
        return Known(
            open_orders=open_orders,
            venue_symbols=tuple(sorted(seen)),
            assets=tuple(sorted(self.holdings.balances)),
            held_symbols=self.holdings.held_symbols(),
            find_order=self.orders.find,
        )

    def apply(self, told: Iterable[Told], heard: Heard) -> News:
        """Take reports in order and say what is new in them."""
        news = News()
        for each in told:
            before = len(news.events)
            self._take(each, heard, news)
            if len(news.events) > before:
                self._note_symbol(getattr(each, "venue_symbol", None), heard.received_ns, news)
            self._reports += 1
        if self._reports >= TIDY_EVERY:
            self._reports = 0
            self.orders.tidy(heard.received_ns, self.agreed_ns, news)
        return news

    def would_be_news(self, told: Sequence[Told], heard: Heard) -> list[Told]:
        """Those of `told` that `apply` would make events of; changes nothing.

        A periodic check asks this before it raises an alarm. A fill is never news by
        itself: its order's own state shows whether it was told.
        """
        return [each for each in told if self._would_be_news(each, heard)]

    def came_back(self, told: Told) -> bool:
        """Whether REST tells a state that was in doubt: a push had told it once more."""
        return isinstance(told, ToldBalance | ToldPosition) and self.holdings.came_back(told)

    def _would_be_news(self, told: Told, heard: Heard) -> bool:
        match told:
            case ToldOrder():
                return self.orders.would_be_news(told, heard)
            case ToldBalance() | ToldPosition():
                return self.holdings.would_be_news(told, heard)
            case _:
                return False

    def _take(self, told: Told, heard: Heard, news: News) -> None:
        match told:
            case ToldOrder():
                self.orders.apply(told, heard, news)
            case ToldFill():
                self.orders.apply_fill(told, heard, news)
            case ToldBalance():
                self.holdings.apply_balance(told, heard, news)
            case ToldPosition():
                self.holdings.apply_position(told, heard, news)
            case _:
                self._oddities.apply(told, heard, news)

    def _note_symbol(self, venue_symbol: str | None, at_ns: int, news: News) -> None:
        if venue_symbol is None or at_ns - self._symbols.get(venue_symbol, 0) < _SYMBOL_NOTED_NS:
            return
        self._symbols[venue_symbol] = at_ns
        self._scribe.change(news, Section.SYMBOL, venue_symbol, at_ns)
