"""The REST lists that a recovery reads, page by page, in both API versions.

Traps: `total` counts pages in some answers and rows in others, so paging goes on
until a page is shorter than the answer says a page is. The trade list has a `fromId`
of unknown direction, so a full answer is split in time instead. Date texts are UTC+8.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

import msgspec

from adapters.lbank import endpoints
from adapters.lbank.answers import Reply
from adapters.lbank.calls import Answered, Calls
from adapters.lbank.endpoints import Paths
from adapters.lbank.refusals import PAGE_SIZE_CODE, UNKNOWN_CALL, Refused
from adapters.lbank.rows import Row
from gateway.errors import VenueUnavailable

_LBANK_TIME: Final = timezone(timedelta(seconds=endpoints.CHINA_OFFSET_SECONDS))


class Page(msgspec.Struct, frozen=True):
    """Rows of one answer."""

    rows: list[msgspec.Raw]
    sent_ns: int
    received_ns: int
    page_rows: int | None = None
    """How many rows a page of this list holds, where the answer says so."""
    is_cut: bool = False
    """True when the answer held as many rows as it may, and could not be asked for in parts."""


class Lists:
    """What an account's orders, trades and balances are, as REST tells them."""

    def __init__(self, calls: Calls, paths: Paths, version: str) -> None:
        self._calls = calls
        self._paths = paths
        self._older = version == "v1"
        self.history_seconds: Final = endpoints.HISTORY_SECONDS[version]
        """How far back order histories tell."""
        self._page_rows = endpoints.PAGE_ROWS
        self._served: dict[str, str] = {}
        """Paths that are not served any more or not yet, and what is asked instead."""

    def open_orders(self, pair: str) -> AsyncGenerator[Page, None]:
        """Orders of a pair that may still change."""
        return self._pages(self._paths.open_orders, symbol=pair)

    def history(self, pair: str, status: str | None = None) -> AsyncGenerator[Page, None]:
        """Orders placed lately; without `status` those that were cancelled or filled."""
        if status is None:
            return self._pages(self._paths.history, symbol=pair)
        return self._pages(self._paths.history, symbol=pair, status=status)

    async def order(self, pair: str, order_id: str) -> Page:
        """One order by its id."""
        name = "order_id" if self._older else "orderId"
        return await self._page(self._paths.order, "orders", {"symbol": pair, name: order_id})

    async def order_trades(self, pair: str, order_id: str) -> Page:
        """All trades of one order, with the ids that pushes use."""
        params = {"symbol": pair, "order_id": order_id}
        return await self._page(self._paths.order_trades, "transaction", params)

    async def balances(self) -> tuple[Page, bool]:
        """All assets; and whether it is one row an asset, or one for all (v1)."""
        name = "info" if self._older else "balances"
        return await self._page(self._paths.balances, name, {}), not self._older

    async def trades(self, pair: str, since_ns: int, until_ns: int) -> AsyncGenerator[Page, None]:
        """Trades of a pair between two instants by LBank's clock, bounds included.

        Of a second with more trades than one answer holds, the page `is_cut`.
        """
        start, end = since_ns // 10**9, -(-until_ns // 10**9)
        step = endpoints.TRADES_WINDOW_SECONDS - 1
        for first in range(start, end + 1, step):
            last = min(first + step - 1, end)
            windows = (
                self._days(pair, first, last) if self._older else self._window(pair, first, last)
            )
            async with aclosing(windows):
                async for page in windows:
                    yield page

    async def _window(self, pair: str, first: int, last: int) -> AsyncGenerator[Page, None]:
        """One time window, halved until its answer is not cut off by the limit."""
        page = await self._page(
            self._paths.trades,
            "transaction",
            {
                "symbol": pair,
                "startTime": lbank_time(first),
                "endTime": lbank_time(last + 1),  # whether the end counts is not documented
                "limit": str(endpoints.TRADES_LIMIT),
            },
        )
        if len(page.rows) < endpoints.TRADES_LIMIT:
            yield page
            return
        if first >= last:
            yield msgspec.structs.replace(page, is_cut=True)
            return
        middle = (first + last) // 2
        for begin, end in ((first, middle), (middle + 1, last)):
            async with aclosing(self._window(pair, begin, end)) as halves:
                async for half in halves:
                    yield half

    async def _days(self, pair: str, first: int, last: int) -> AsyncGenerator[Page, None]:
        """v1 takes whole days only, and goes on from a trade id."""
        params = {
            "symbol": pair,
            "start_date": lbank_time(first)[:10],
            "end_date": lbank_time(last)[:10],
            "size": str(endpoints.TRADES_LIMIT),
        }
        seen: set[str] = set()
        for _ in range(endpoints.MAX_PAGES):
            page = await self._page(self._paths.trades, "transaction", params)
            yield page
            ids = [str(Row(row).first("txUuid")) for row in page.rows]
            if len(ids) < endpoints.TRADES_LIMIT or seen.issuperset(ids):
                return
            seen.update(ids)
            params |= {"from": ids[-1], "direct": "next"}

    async def _pages(self, path: str, **params: str) -> AsyncGenerator[Page, None]:
        number, before = 1, list[msgspec.Raw]()
        while number <= endpoints.MAX_PAGES:
            size = self._page_rows
            params |= {"current_page": str(number), "page_length": str(size)}
            try:
                page = await self._page(path, "orders", params)
            except Refused as refused:
                if refused.code != PAGE_SIZE_CODE or size == endpoints.SMALLER_PAGE_ROWS:
                    raise
                self._page_rows, number = endpoints.SMALLER_PAGE_ROWS, 1
                continue
            yield page
            if len(page.rows) < min(size, page.page_rows or size) or page.rows == before:
                return
            number, before = number + 1, page.rows
        raise VenueUnavailable(f"{path}: the list does not end")

    async def _page(self, path: str, name: str, params: dict[str, str]) -> Page:
        answered = await self._ask(path, params)
        reply: Reply = answered.reply
        return Page(reply.rows(name), answered.sent_ns, answered.received_ns, reply.page_rows)

    async def _ask(self, path: str, params: dict[str, str]) -> Answered:
        """Ask, by the path of last year's documents where this one is not served."""
        try:
            return await self._calls.ask(self._served.get(path, path), **params)
        except Refused as refused:
            older = endpoints.OLDER_PATHS.get(path)
            if refused.code != UNKNOWN_CALL or older is None or path in self._served:
                raise
        answered = await self._calls.ask(older, **params)
        self._served[path] = older
        return answered


def lbank_time(epoch_seconds: int) -> str:
    """An instant as LBank wants it in requests."""
    instant = datetime.fromtimestamp(epoch_seconds, UTC).astimezone(_LBANK_TIME)
    return instant.strftime("%Y-%m-%d %H:%M:%S")
