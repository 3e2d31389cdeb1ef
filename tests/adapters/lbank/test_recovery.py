"""What is asked of REST after a gap, and what is proven by it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from adapters.lbank.adapter import SpotAdapter
from adapters.lbank.lists import lbank_time
from adapters.lbank.settings import Recovery
from gateway.contracts.adapter import Known, Purpose, RecoveryPlan, RecoveryResult
from gateway.contracts.told import KnownOrder, Mark, ToldBalance, ToldFill, ToldOrder
from gateway.errors import VenueUnavailable
from gateway.events.model import Order, OrderStatus
from tests.adapters.lbank.pretend import (
    START_NS,
    MemoryFinds,
    PretendLBank,
    adapter_on,
    settings_of,
)

OPEN = "/v2/supplement/orders_info_no_deal.do"
ONE = "/v2/spot/trade/orders_info.do"
HISTORY = "/v2/spot/trade/orders_info_history.do"
TRADES = "/v2/supplement/transaction_history.do"
ORDER_TRADES = "/v2/order_transaction_detail.do"
BALANCES = "/v2/supplement/user_info_account.do"
OLDER_ONE = "/v2/supplement/orders_info.do"
OLDER_HISTORY = "/v2/supplement/orders_info_history.do"
NOW_MS = START_NS // 10**6
SINCE_NS = START_NS - 600 * 10**9

Form = Mapping[str, str]


def order_row(order_id: str, status: int, done: str = "0", **more: Any) -> dict[str, Any]:
    """An order as v2 lists it."""
    return {
        "symbol": "eth_usdt", "orderId": order_id, "clientOrderId": "", "price": "2000",
        "origQty": "1", "executedQty": done, "cummulativeQuoteQty": "0",
        "origQuoteOrderQty": "0", "type": "buy", "time": NOW_MS - 60_000,
        "updateTime": NOW_MS - 30_000, "status": status,
    } | more  # fmt: skip


def trade_row(trade_id: str, quantity: str) -> dict[str, Any]:
    """A trade as order_transaction_detail lists it."""
    return {
        "txUuid": trade_id, "orderUuid": "", "tradeType": "buy", "dealTime": NOW_MS - 30_000,
        "dealPrice": "1999", "dealQuantity": quantity, "dealVolumePrice": "1", "tradeFee": "0.001",
        "tradeFeeRate": "0.001", "isMaker": True,
    }  # fmt: skip


def known_order(order_id: str, filled: str = "0", pair: str | None = "eth_usdt") -> KnownOrder:
    """An order that the book holds as open."""
    order = Order(
        order_id=order_id,
        status=OrderStatus.NEW,
        venue_status="0",
        final=False,
        filled_quantity=filled,
    )
    return KnownOrder(
        order=order, venue_symbol=pair, mark=Mark(filled), event_id="e", received_ns=0
    )


def known(*orders: KnownOrder, **more: Any) -> Known:
    """What the book knows."""
    by_id = {each.order.order_id: each for each in orders}
    return Known(open_orders=by_id, find_order=by_id.get, **more)


class Rows:
    """REST rows by path, served page by page."""

    def __init__(self, venue: PretendLBank) -> None:
        self.open: list[dict[str, Any]] = []
        self.one: dict[str, dict[str, Any]] = {}
        self.history: list[dict[str, Any]] = []
        self.trades: list[dict[str, Any]] = []
        self.order_trades: dict[str, list[dict[str, Any]]] = {}
        self.balances = [{"asset": "usdt", "free": "5", "locked": "1"}]
        venue.answers |= {
            OPEN: lambda form: paged(self.open, form),
            HISTORY: lambda form: paged(self._ended(form), form),
            ONE: lambda form: {"result": "true", "data": self.one.get(form["orderId"])},
            TRADES: self._window,
            ORDER_TRADES: lambda form: {
                "result": "true", "data": self.order_trades.get(form["order_id"], [])
            },
            BALANCES: lambda _: {"result": "true", "data": {"balances": self.balances}},
        }  # fmt: skip

    def _ended(self, form: Form) -> list[dict[str, Any]]:
        wanted = {form["status"]} if "status" in form else {"-1", "2"}
        return [row for row in self.history if str(row["status"]) in wanted]

    def _window(self, form: Form) -> Any:
        rows = [
            row
            for row in self.trades
            if form["startTime"] <= lbank_time(row["time"] // 1000) <= form["endTime"]
        ]
        return {"result": "true", "data": rows[: int(form["limit"])]}


def paged(rows: list[dict[str, Any]], form: Form) -> Any:
    """One page, with a `total` that counts pages."""
    size, number = int(form["page_length"]), int(form["current_page"])
    page = rows[(number - 1) * size : number * size]
    return {"result": "true", "data": {"total": 1, "orders": page}, "error_code": 0}


@pytest.fixture
def rows(venue: PretendLBank) -> Rows:
    """What REST tells; empty but for one balance."""
    return Rows(venue)


async def recover(
    adapter: SpotAdapter, what: Known, purpose: Purpose = Purpose.GAP
) -> tuple[RecoveryResult, MemoryFinds]:
    """Plan and read."""
    finds = MemoryFinds()
    since_ns = None if purpose is Purpose.SNAPSHOT else SINCE_NS
    plan = adapter.plan_recovery(what, purpose, since_ns)
    return await adapter.recover(plan, finds), finds


def adapter_for(venue: PretendLBank, *pairs: str, **options: Any) -> SpotAdapter:
    """All pairs pushed, these asked for."""
    return adapter_on(venue, settings_of(recovery=Recovery(pairs=pairs)), **options)


def orders(finds: MemoryFinds) -> dict[str, Order]:
    """The last state told of each order."""
    return {t.order.order_id: t.order for t in finds.told if isinstance(t, ToldOrder)}


def fills(finds: MemoryFinds) -> list[tuple[str, str | None, str]]:
    """Every trade told."""
    return [
        (t.fill.order_id, t.fill.fill_id, t.fill.quantity)
        for t in finds.told
        if isinstance(t, ToldFill)
    ]


# --- the plan ---------------------------------------------------------------------


def test_scope_of_all_pairs(venue: PretendLBank) -> None:
    """With `pairs: all`: the configured ones, those of open orders, those seen lately."""
    plan = adapter_for(venue, "btc_usdt").plan_recovery(
        known(known_order("o1"), venue_symbols=("eth_btc",)), Purpose.GAP, SINCE_NS
    )

    assert plan.venue_symbols == ("btc_usdt", "eth_btc", "eth_usdt")
    assert plan.order_ids == ("o1",)


def test_pairs_are_asked_for_in_lower_case(venue: PretendLBank) -> None:
    """REST takes no other spelling, whatever a push used."""
    plan = adapter_for(venue, "eth_btc").plan_recovery(
        known(known_order("o1", pair="ETH_BTC"), venue_symbols=("Eth_Btc",)), Purpose.GAP, SINCE_NS
    )

    assert plan.venue_symbols == ("eth_btc",)


def test_scope_of_listed_pairs(venue: PretendLBank) -> None:
    """With listed pairs, others that were seen are not asked for."""
    adapter = adapter_on(venue, settings_of(pairs=("btc_usdt",)))

    plan = adapter.plan_recovery(known(venue_symbols=("eth_btc",)), Purpose.GAP, SINCE_NS)

    assert plan.venue_symbols == ("btc_usdt",)


async def test_no_pair_to_ask_for_is_incomplete(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """With nothing known and nothing configured the recovery proves nothing, and says so."""
    result, _ = await recover(adapter_for(venue), known())

    assert not result.complete
    assert "recovery.pairs" in result.detail


# --- what is read ------------------------------------------------------------------


async def test_snapshot_reads_open_orders_and_balances(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """At the very first start no history and no trades are asked for; orders bring a baseline."""
    rows.open = [order_row("o1", 1, "0.4")]
    rows.balances.append({"asset": "dust", "free": "0E-18", "locked": 0})

    result, finds = await recover(adapter_for(venue, "eth_usdt"), known(), Purpose.SNAPSHOT)

    assert result.complete
    assert {path for path, _ in venue.asked} == {"/v2/timestamp.do", OPEN, BALANCES}
    (order,) = [told for told in finds.told if isinstance(told, ToldOrder)]
    assert order.baseline == Mark("0.4")
    balances = [told.balance for told in finds.told if isinstance(told, ToldBalance)]
    assert [(each.asset, each.total) for each in balances] == [("USDT", "6")]


async def test_everything_that_happened_in_a_gap_is_found(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """Open, ended, partly cancelled, unlisted and traded orders are told, with their trades."""
    rows.open = [order_row("open", 1, "0.5")]
    rows.history = [order_row("done", 2, "1"), order_row("partly", 3, "0.2")]
    rows.one = {"old": order_row("old", -1, "0.3")}
    rows.trades = [
        {"orderId": order_id, "id": "other-name", "time": NOW_MS - 30_000}
        for order_id in ("open", "done", "partly")
    ]
    rows.order_trades = {
        "open": [trade_row("t1", "0.5")],
        "done": [trade_row("t2", "0.6"), trade_row("t3", "0.4")],
        "partly": [trade_row("t4", "0.2")],
        "old": [trade_row("t5", "0.3")],
    }

    result, finds = await recover(
        adapter_for(venue, "eth_usdt"), known(known_order("old"), known_order("open"))
    )

    assert result == RecoveryResult(complete=True)
    assert {key: order.status for key, order in orders(finds).items()} == {
        "open": OrderStatus.PARTIALLY_FILLED,
        "done": OrderStatus.FILLED,
        "partly": OrderStatus.CANCELED,
        "old": OrderStatus.CANCELED,
    }
    assert sorted(fills(finds)) == [
        ("done", "t2", "0.6"),
        ("done", "t3", "0.4"),
        ("old", "t5", "0.3"),
        ("open", "t1", "0.5"),
        ("partly", "t4", "0.2"),
    ]


@pytest.mark.parametrize(("is_newest_first", "pages"), [(True, 2), (False, 4)])
async def test_a_history_is_read_as_far_as_it_concerns_the_gap(
    venue: PretendLBank,
    rows: Rows,
    autojump_clock: MockClock,
    is_newest_first: bool,
    pages: int,
) -> None:
    """A list that falls in time ends with what was placed before; any other is read whole."""
    last_ms = SINCE_NS // 1_000_000 + 240_000
    rows.history = [
        order_row(f"o{number}", 2, time=last_ms - number * 1000) for number in range(3 * 200 + 1)
    ]
    if not is_newest_first:
        rows.history.reverse()

    result, finds = await recover(adapter_for(venue, "eth_usdt"), known())

    assert result.complete
    asked = [form for path, form in venue.asked if path == HISTORY and "status" not in form]
    assert len(asked) == pages
    assert set(orders(finds)) >= {f"o{number}" for number in range(240)}


async def test_traded_order_that_no_list_shows_is_asked_for(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """A trade of an order too old for the history leads to the order itself."""
    rows.trades = [{"orderId": "hidden", "id": "x", "time": NOW_MS - 30_000}]
    rows.one = {"hidden": order_row("hidden", 2, "1")}
    rows.order_trades = {"hidden": [trade_row("t1", "1")]}

    result, finds = await recover(adapter_for(venue, "eth_usdt"), known())

    assert result.complete
    assert fills(finds) == [("hidden", "t1", "1")]


async def test_more_trades_in_a_second_than_are_listed(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """The list is cut off: each order that changed in the gap is asked for its trades."""
    names = [f"o{number}" for number in range(150)]
    rows.history = [order_row(name, 2, "1") for name in names]
    rows.history.append(order_row("old", 2, "1", updateTime=NOW_MS - 3_600_000))
    rows.trades = [{"orderId": name, "id": name, "time": NOW_MS - 30_000} for name in names]
    rows.order_trades = {name: [trade_row(f"t-{name}", "1")] for name in names}

    result, finds = await recover(adapter_for(venue, "eth_usdt"), known())

    assert result == RecoveryResult(complete=True)
    assert sorted(fills(finds)) == sorted((name, f"t-{name}", "1") for name in names)


async def test_a_known_order_is_asked_for_trades_that_no_list_shows(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """Its own growth says that it traded, though the book learns of that growth meanwhile."""
    book = {"o1": known_order("o1", "0.1")}
    rows.open = [order_row("o1", 1, "0.5")]
    rows.order_trades = {"o1": [trade_row("t1", "0.1"), trade_row("t2", "0.4")]}

    class Learning(MemoryFinds):
        async def hear(self, told: Any, received_ns: int, as_of_ns: int) -> None:
            await super().hear(told, received_ns, as_of_ns)
            book["o1"] = known_order("o1", "0.5")

    finds = Learning()
    adapter = adapter_for(venue, "eth_usdt")
    knowledge = Known(open_orders=dict(book), find_order=book.get)
    plan = adapter.plan_recovery(knowledge, Purpose.GAP, SINCE_NS)

    result = await adapter.recover(plan, finds)

    assert result.complete
    assert fills(finds) == [("o1", "t1", "0.1"), ("o1", "t2", "0.4")]


async def test_where_the_trades_of_an_order_cannot_be_asked_the_list_serves(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """A venue by the documents of 2026: what was traded in the gap is told from the list."""
    del venue.answers[ORDER_TRADES]
    venue.missing.add(ORDER_TRADES)
    listed = {"price": "1999", "qty": "0.4", "quoteQty": "1", "commission": "0", "isBuyer": True}
    rows.trades = [
        listed | {"orderId": "old", "id": "t1", "time": NOW_MS - 650_000},
        listed | {"orderId": "old", "id": "t2", "time": NOW_MS - 30_000},
        listed | {"orderId": "short", "id": "t3", "time": NOW_MS - 30_000},
    ]
    rows.open = [order_row("old", 1, "0.8")]
    whole, told = await recover(adapter_for(venue, "eth_usdt"), known(known_order("old", "0.4")))
    rows.open.append(order_row("short", 1, "0.9"))
    partial, _ = await recover(adapter_for(venue, "eth_usdt"), known(known_order("short")))

    assert whole.complete is False  # nobody told of `short` beforehand, nor does REST
    assert ("old", "t2", "0.4") in fills(told)
    assert ("old", "t1", "0.4") not in fills(told)
    assert "order short lack 0.5 of what it filled" in partial.detail


async def test_what_an_order_traded_before_the_gap_is_read_where_the_book_does_not_know_it(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """Pushes of 2019 tell trades but no sum: the list from the order's beginning proves it."""
    del venue.answers[ORDER_TRADES]
    venue.missing.add(ORDER_TRADES)
    listed = {"price": "1999", "qty": "0.4", "quoteQty": "1", "commission": "0", "isBuyer": True}
    rows.trades = [
        listed | {"orderId": "o1", "id": "t1", "time": NOW_MS - 650_000},
        listed | {"orderId": "o1", "id": "t2", "time": NOW_MS - 30_000},
    ]
    rows.open = [order_row("o1", 1, "0.8") | {"time": NOW_MS - 900_000}]

    result, told = await recover(adapter_for(venue, "eth_usdt"), known(known_order("o1")))

    assert (result.complete, result.detail) == (True, "")
    assert fills(told) == [("o1", "t2", "0.4")]


async def test_older_paths_are_asked_where_the_newer_are_not_served(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """A venue by the documents of 2025 is read by the paths that it knows."""
    for path, older in ((ONE, OLDER_ONE), (HISTORY, OLDER_HISTORY)):
        venue.answers[older] = venue.answers.pop(path)
        venue.missing.add(path)
    rows.history = [order_row("done", 2, "0")]
    rows.one = {"gone": order_row("gone", -1)}

    result, finds = await recover(adapter_for(venue, "eth_usdt"), known(known_order("gone")))

    assert result.complete
    assert {"done", "gone"} == set(orders(finds))


async def test_missing_trades_of_single_orders(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """For `order` only these orders and their trades are asked for."""
    rows.one = {"o1": order_row("o1", 1, "0.4")}
    rows.order_trades = {"o1": [trade_row("t1", "0.4")]}
    plan = RecoveryPlan(purpose=Purpose.ORDER, order_ids=("o1",), known=known(known_order("o1")))
    finds = MemoryFinds()

    result = await adapter_for(venue).recover(plan, finds)

    assert result.complete
    assert fills(finds) == [("o1", "t1", "0.4")]
    assert {path for path, _ in venue.asked} == {"/v2/timestamp.do", ONE, ORDER_TRADES}


async def test_check_compares_states_only(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """A periodic check reads no trades: an order's own state shows whether one is missing."""
    rows.history = [order_row("done", 2, "1")]

    result, finds = await recover(adapter_for(venue, "eth_usdt"), known(), Purpose.CHECK)

    assert result.complete
    assert set(orders(finds)) == {"done"}
    assert {TRADES, ORDER_TRADES}.isdisjoint(path for path, _ in venue.asked)


async def test_streams_that_are_not_followed_are_not_read(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """Only balances are followed: only balances are read."""
    adapter = adapter_for(venue, streams=("balances",))

    result, _ = await recover(adapter, known())

    assert result.complete
    assert {path for path, _ in venue.asked} == {"/v2/timestamp.do", BALANCES}


async def test_rows_are_no_older_than_the_request(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """What is handed over says when it was asked for, not when it was answered."""
    rows.open = [order_row("o1", 0)]

    _, finds = await recover(adapter_for(venue, "eth_usdt"), known(), Purpose.SNAPSHOT)

    assert all(as_of % 10**9 % 10**7 == 0 for as_of in finds.as_of_ns)
    assert max(finds.as_of_ns) < venue.clock.now_ns()


# --- paging --------------------------------------------------------------------------


async def test_pages_until_a_short_one(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """Paging does not believe `total`; it goes on until a page is short."""
    rows.open = [order_row(f"o{number}", 0) for number in range(450)]

    _, finds = await recover(adapter_for(venue, "eth_usdt"), known(), Purpose.SNAPSHOT)

    assert len(orders(finds)) == 450


async def test_a_page_may_be_smaller_than_asked_for(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """A venue that silently holds to smaller pages, and says so in the answer, is read whole."""
    rows.open = [order_row(f"o{number}", 0) for number in range(120)]

    def capped(form: Form) -> Any:
        answer = paged(rows.open, {**form, "page_length": "50"})
        answer["data"]["page_length"] = 50
        return answer

    venue.answers[OPEN] = capped
    _, finds = await recover(adapter_for(venue, "eth_usdt"), known(), Purpose.SNAPSHOT)

    assert len(orders(finds)) == 120


async def test_smaller_pages_where_they_are_wanted(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """Error 10018 makes the pages smaller instead of failing."""
    rows.open = [order_row(f"o{number}", 0) for number in range(120)]

    def small(form: Form) -> Any:
        if int(form["page_length"]) > 50:
            return {"result": "false", "error_code": 10018}
        return paged(rows.open, form)

    venue.answers[OPEN] = small
    _, finds = await recover(adapter_for(venue, "eth_usdt"), known(), Purpose.SNAPSHOT)

    assert len(orders(finds)) == 120


async def test_full_trade_windows_are_split(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """More trades than one answer holds are found by asking for shorter times."""
    rows.trades = [
        {"orderId": f"o{number}", "id": str(number), "time": NOW_MS - number * 1_000}
        for number in range(1, 400)
    ]
    rows.history = [order_row(f"o{number}", 2, "1") for number in range(1, 400)]
    rows.order_trades = {f"o{number}": [trade_row("t", "1")] for number in range(1, 400)}

    result, finds = await recover(adapter_for(venue, "eth_usdt"), known())

    assert result.complete
    assert len(fills(finds)) == 399


async def test_trade_windows_stay_within_two_days(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """A long gap is asked for in windows of at most two days that leave nothing out."""
    adapter = adapter_for(venue, "eth_usdt")
    since_ns = START_NS - 5 * 86_400 * 10**9
    plan = adapter.plan_recovery(known(), Purpose.GAP, since_ns)

    result = await adapter.recover(plan, MemoryFinds())

    windows = [
        (datetime.fromisoformat(form["startTime"]), datetime.fromisoformat(form["endTime"]))
        for path, form in venue.asked
        if path == TRADES
    ]
    assert all(end - start <= timedelta(days=2) for start, end in windows)
    assert all(later[0] <= earlier[1] for earlier, later in pairwise(windows))
    assert not result.complete
    assert "24 h" in result.detail


def test_dates_are_china_time() -> None:
    """Noon UTC is eight in the evening for LBank."""
    noon = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())

    assert lbank_time(noon) == "2026-03-01 20:00:00"


# --- what could not be proven ---------------------------------------------------------


async def test_vanished_order_is_said(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """An order that LBank no longer tells makes the recovery incomplete."""
    venue.answers[ONE] = lambda _: {"result": "false", "error_code": 10032, "msg": "no"}

    result, _ = await recover(adapter_for(venue, "eth_usdt"), known(known_order("gone")))

    assert not result.complete
    assert "gone" in result.detail


async def test_refused_pair_is_said_and_others_are_read(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """A pair that may not be asked makes it incomplete; the rest is read all the same."""
    rows.open = [order_row("o1", 0)]

    def refuse_one(form: Form) -> Any:
        if form["symbol"] == "aaa_usdt":
            return {"result": "false", "error_code": 10008, "msg": "Invalid pair"}
        return paged(rows.open, form)

    venue.answers[OPEN] = refuse_one
    result, finds = await recover(adapter_for(venue, "aaa_usdt", "eth_usdt"), known())

    assert not result.complete
    assert "aaa_usdt" in result.detail
    assert set(orders(finds)) == {"o1"}


async def test_trades_that_do_not_add_up_are_said(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """Trades that sum to less than the order filled are no proof."""
    rows.open = [order_row("o1", 1, "0.5")]
    rows.trades = [{"orderId": "o1", "id": "x", "time": NOW_MS - 30_000}]
    rows.order_trades = {"o1": [trade_row("t1", "0.1")]}

    result, _ = await recover(adapter_for(venue, "eth_usdt"), known())

    assert not result.complete
    assert "0.1 of 0.5" in result.detail


async def test_strange_asset_is_said(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """An asset that appeared, and that no asked pair trades, is a sign of an unasked pair."""
    rows.balances.append({"asset": "doge", "free": "7", "locked": "0"})

    result, _ = await recover(adapter_for(venue, "eth_usdt"), known(assets=("USDT",)))

    assert not result.complete
    assert "DOGE" in result.detail


async def test_row_without_sense_is_kept_and_said(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """A row that cannot be read is kept whole, and makes the recovery incomplete."""
    rows.open = [order_row("o1", 0), {"orderId": "o2", "status": 0, "origQty": "lots"}]

    result, finds = await recover(adapter_for(venue, "eth_usdt"), known(), Purpose.SNAPSHOT)

    assert not result.complete
    assert set(orders(finds)) == {"o1"}
    assert any(getattr(told, "reason", "") == "bad_number" for told in finds.told)


@pytest.mark.parametrize(
    "answer", [b"<html>busy</html>", {"result": "false", "error_code": 10000}, b""]
)
async def test_failing_rest_is_no_state(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock, answer: Any
) -> None:
    """When REST fails the recovery raises; nothing is concluded."""
    venue.answers[OPEN] = lambda _: answer

    with pytest.raises(VenueUnavailable):
        await recover(adapter_for(venue, "eth_usdt"), known(known_order("o1")))


# --- numbers and the old API -------------------------------------------------------------


async def test_json_numbers_keep_their_digits(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """Rows with JSON numbers such as 1E+2 and 0.01000000000000000000 lose no digit."""
    body = (
        b'{"result":"true","data":{"orders":[{"symbol":"eth_usdt","orderId":"o1","price":1E+2,'
        b'"origQty":0.01000000000000000000,"executedQty":0.005,"cummulativeQuoteQty":0.5,'
        b'"type":"sell","status":1,"time":1700000000000}]}}'
    )
    venue.answers[OPEN] = lambda _: body

    _, finds = await recover(adapter_for(venue, "eth_usdt"), known(), Purpose.SNAPSHOT)

    order = orders(finds)["o1"]
    assert (order.price, order.quantity, order.average_price) == (
        "100",
        "0.01000000000000000000",
        "100",
    )


async def test_market_buy_is_ordered_by_value(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """A market buy's amount is money, and its price no limit."""
    rows.open = [order_row("o1", 0, type="buy_market", origQty="5", price="0.0098")]

    _, finds = await recover(adapter_for(venue, "eth_usdt"), known(), Purpose.SNAPSHOT)

    order = orders(finds)["o1"]
    assert (order.quantity, order.quote_quantity, order.price) == (None, "5", None)


async def test_clock_is_read_before_signing(
    venue: PretendLBank, rows: Rows, autojump_clock: MockClock
) -> None:
    """The gap is asked for in LBank's time, though this machine's clock is an hour ahead."""
    venue.clock.wrong_by_ns = 3600 * 10**9
    adapter = adapter_for(venue, "eth_usdt")
    await adapter.renew()
    since_ns = venue.clock.now_ns() - 600 * 10**9
    plan = adapter.plan_recovery(known(), Purpose.GAP, since_ns)

    await adapter.recover(plan, MemoryFinds())

    (form,) = [form for path, form in venue.asked if path == TRADES]
    true_since = START_NS // 10**9 + trio.current_time() - 660
    asked_since = datetime.fromisoformat(form["startTime"] + "+08:00").timestamp()
    assert asked_since == pytest.approx(true_since, abs=5)
