"""REST after a gap, at the first start and to compare; answers are scripted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from adapters.fmex.order_history import months_between
from gateway.contracts.adapter import Known, Purpose, RecoveryPlan, RecoveryResult
from gateway.contracts.told import (
    KnownOrder,
    Mark,
    ToldBalance,
    ToldFill,
    ToldOrder,
    ToldPosition,
    ToldUnrecognized,
)
from gateway.errors import ClockSkewed, LoginRefused, RateLimited, StreamError, VenueUnavailable
from gateway.events.model import Order, OrderStatus, PositionSide
from gateway.events.numbers import PlainDecimal
from tests.adapters.fmex.doubles import API_KEY, START_NS, Finds, Venue

ACCOUNTS = "/v3/contracts/accounts"
POSITIONS = "/v3/broker/auth/contracts/positions"
OLD_POSITIONS = "/v3/contracts/positions"
OPEN = "/v3/contracts/orders/open"
CLOSED = "/v3/contracts/orders/closed"
START_MS = START_NS // 1_000_000
BEFORE, AFTER = START_MS - 600_000, START_MS - 60_000
SINCE_NS = START_NS - 300 * 10**9
"""The gap began five minutes ago, between BEFORE and AFTER."""


def ok(data: Any) -> tuple[int, Any]:
    """A good answer."""
    return 200, {"status": 0, "data": data}


def order_row(order_id: int, **more: Any) -> dict[str, Any]:
    """An order of ten contracts that waits."""
    return {
        "id": order_id, "features": 0, "price": 9000.0, "fee": 0, "fill_price": 0.0,
        "quantity": 10, "unfilled_quantity": 10, "type": "limit", "status": "pending",
        "direction": "long", "trigger_direction": "long", "trigger_on": 0,
        "trailing_distance": 0, "created_at": AFTER, "updated_at": AFTER, "symbol": "BTCUSD_P",
    } | more  # fmt: skip


def filled_row(order_id: int, **more: Any) -> dict[str, Any]:
    """The same, executed in full at 9000."""
    done = {"unfilled_quantity": 0, "status": "fully_filled", "fill_price": 9000.0, "fee": 0.5}
    return order_row(order_id, **done) | more


def match_row(quantity: float, at: int = AFTER, price: float = 9000.0) -> dict[str, Any]:
    """One execution."""
    return {"taker": True, "price": price, "quantity": quantity, "fee": 0.1, "created_at": at}


def page(rows: Sequence[Any], following: int | None = None) -> Any:
    """A page of closed orders."""
    return {
        "range": "202002",
        "hasMore": following is not None,
        "nextOffsetId": following or 0,
        "results": rows,
    }


def known_order(order_id: str, filled: str = "0", symbol: str = "BTCUSD_P") -> KnownOrder:
    """An open order that the book holds."""
    return KnownOrder(
        order=Order(order_id=order_id, status=OrderStatus.NEW, venue_status="PENDING", final=False),
        venue_symbol=symbol,
        mark=Mark(PlainDecimal(filled)),
        event_id="x",
        received_ns=0,
    )


def knowing(*orders: KnownOrder, **more: Any) -> Known:
    """What the book knows."""
    return Known(open_orders={known.order.order_id: known for known in orders}, **more)


class House:
    """A venue with nothing in it, and what a recovery finds there."""

    def __init__(self, **venue: Any) -> None:
        self.venue = Venue(**venue)
        self.finds = Finds()
        rest = self.venue.rest
        rest.say(ACCOUNTS, ok({}))
        rest.say(POSITIONS, (200, {"status": "ok", "data": {"results": []}}))
        rest.say(OPEN, ok({"results": []}))
        rest.say(CLOSED, ok(page([])))
        self.say = rest.say

    async def recover(
        self,
        known: Known | None = None,
        purpose: Purpose = Purpose.GAP,
        since_ns: int | None = SINCE_NS,
    ) -> RecoveryResult:
        adapter = self.venue.adapter
        plan = adapter.plan_recovery(known or knowing(), purpose, since_ns)
        return await adapter.recover(plan, self.finds)

    def told(self, kind: type) -> list[Any]:
        return [each for each in self.finds.told if isinstance(each, kind)]

    def asked(self, path: str) -> list[dict[str, str]]:
        return [params for asked, params, _ in self.venue.rest.requests if asked == path]


async def test_nothing_happened(autojump_clock: MockClock):
    """An account in which nothing happened is proven complete, with nothing told."""
    house = House()

    assert RecoveryResult(complete=True) == await house.recover()
    assert [] == house.finds.told


async def test_requests_are_signed_in_alphabetical_order(autojump_clock: MockClock):
    """Each request carries the key; parameters go out in the order that was signed."""
    house = House()
    await house.recover()

    [params] = house.asked(CLOSED)
    assert ["limit", "offsetId", "range", "symbol"] == list(params)
    assert all("FC-ACCESS-SIGNATURE" in headers for _, _, headers in house.venue.rest.requests)


# --- balances and positions ---------------------------------------------------


async def test_balances(autojump_clock: MockClock):
    """A balance has all its digits, no time, and its row as raw; empty ones are left out."""
    house = House()
    btc = b'"BTC":[2.796888254907565438,0E-18,0E-18]'
    text = b'{"status":0,"data":{%b,"USDT":[0,0,0],"EOS":[0,0,0]}}' % btc
    house.say(ACCOUNTS, (200, text))
    result = await house.recover(knowing(assets=("EOS",)))

    told, eos = house.told(ToldBalance)
    assert result.complete
    assert ("2.796888254907565438", "0.000000000000000000", "BTC", None) == (
        told.balance.total,
        told.balance.held,
        told.balance.asset,
        told.venue_time,
    )
    assert "{" + btc.decode() + "}" == told.raw
    assert "EOS" == eos.balance.asset


async def test_balance_that_is_gone_is_a_doubt(autojump_clock: MockClock):
    """A currency that was known and is not listed proves nothing."""
    result = await House().recover(knowing(assets=("BTC",)))

    assert not result.complete
    assert "BTC" in result.detail


async def test_positions(autojump_clock: MockClock):
    """Positions of followed contracts come with their time; others are left out."""
    house = House()
    row = {"symbol": "BTCUSD_P", "quantity": 3, "direction": "short", "leverage": 10,
           "riskLevel": 1, "updated_at": AFTER}  # fmt: skip
    house.say(POSITIONS, ok({"results": [row, row | {"symbol": "ETHUSD_P"}]}))
    result = await house.recover()

    [told] = house.told(ToldPosition)
    assert result.complete
    assert (PositionSide.SHORT, "1", "BTCUSD_P") == (
        told.position.side,
        told.position.risk_level,
        told.venue_symbol,
    )
    assert "2020-02-04T07:42:24.000Z" == told.venue_time


async def test_older_path_of_positions(autojump_clock: MockClock):
    """Where the newer path is unknown, the older one is asked."""
    house = House()
    house.say(POSITIONS, (404, b"not found"))
    house.say(OLD_POSITIONS, ok({"results": [{"symbol": "BTCUSD_P", "quantity": 0}]}))
    await house.recover()

    [told] = house.told(ToldPosition)
    assert PositionSide.FLAT is told.position.side


async def test_position_that_is_no_longer_listed_is_closed(autojump_clock: MockClock):
    """A position that was held and is not listed any more is flat; one never held is nothing."""
    house = House(symbols=("btcusd_p", "ethusd_p"))
    await house.recover(knowing(held_symbols=("BTCUSD_P", "EOSUSD_P")))

    [told] = house.told(ToldPosition)
    assert (PositionSide.FLAT, "0", "BTCUSD_P", None) == (
        told.position.side,
        told.position.quantity,
        told.venue_symbol,
        told.venue_time,
    )


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (ACCOUNTS, {"BTC": [1, 2]}),
        (POSITIONS, {"results": [{"symbol": "BTCUSD_P"}]}),
        (OPEN, {"results": [{"id": 1}]}),
        (CLOSED, page([{"status": 5}])),
    ],
)
async def test_row_that_is_not_understood(path: str, data: Any, autojump_clock: MockClock):
    """A row in another shape is kept whole, and makes the recovery incomplete."""
    house = House()
    house.say(path, ok(data))
    result = await house.recover()

    assert not result.complete
    assert 1 == len(house.told(ToldUnrecognized))


async def test_only_configured_streams_are_read(autojump_clock: MockClock):
    """An account that follows orders asks for no balance and no position."""
    house = House(streams=("orders",))
    await house.recover()

    assert ([], []) == (house.asked(ACCOUNTS), house.asked(POSITIONS))


# --- orders -------------------------------------------------------------------


async def test_snapshot_learns_open_orders_and_no_past(autojump_clock: MockClock):
    """The very first reading takes what is open; nothing of it is executed anew."""
    house = House()
    house.say(OPEN, ok({"results": [order_row(1, unfilled_quantity=4, fill_price=9000)]}))
    result = await house.recover(purpose=Purpose.SNAPSHOT, since_ns=None)

    [told] = house.told(ToldOrder)
    assert result.complete
    assert ("1", "6", None) == (told.order.order_id, told.order.filled_quantity, told.baseline)
    assert ([], []) == (house.asked(CLOSED), house.told(ToldFill))


async def test_execution_of_a_known_order_in_the_gap(autojump_clock: MockClock):
    """Executions come before their order, which carries the mark that they reach."""
    house = House()
    house.say(CLOSED, ok(page([filled_row(7, created_at=BEFORE)])))
    house.say(
        "/v3/contracts/orders/7/matches",
        ok({"results": [match_row(4.0, BEFORE), match_row(2.0), match_row(4.0)]}),
    )
    result = await house.recover(knowing(known_order("7", filled="4")))

    assert result.complete
    assert [ToldFill, ToldFill, ToldFill, ToldOrder] == [type(each) for each in house.finds.told]
    assert [("0", "4.0"), ("4.0", "6.0"), ("6.0", "10.0")] == [
        fill.span for fill in house.told(ToldFill)
    ]
    [told] = house.told(ToldOrder)
    assert Mark(PlainDecimal("10"), PlainDecimal("9000.0"), PlainDecimal("0.5")) == told.baseline
    assert ((), "10") == (
        house.venue.adapter.reconcile(None, told).derived,
        house.venue.adapter.reconcile(known_order("7", "4"), told).mark.quantity,
    )


async def test_order_whose_fills_are_known_asks_for_no_executions(autojump_clock: MockClock):
    """Where the mark stands already, one request less is made."""
    house = House()
    house.say(CLOSED, ok(page([filled_row(7)])))
    result = await house.recover(knowing(known_order("7", filled="10")))

    assert result.complete
    assert [] == house.asked("/v3/contracts/orders/7/matches")


async def test_check_compares_states_only(autojump_clock: MockClock):
    """A periodic check reads no executions."""
    house = House()
    house.say(CLOSED, ok(page([filled_row(7)])))
    result = await house.recover(purpose=Purpose.CHECK)

    assert result.complete
    assert 1 == len(house.told(ToldOrder))
    assert [] == house.asked("/v3/contracts/orders/7/matches")


async def test_order_that_trades_while_it_is_read(autojump_clock: MockClock):
    """When executions have run ahead of the order, the order is read again."""
    house = House()
    house.say(OPEN, ok({"results": [order_row(7, unfilled_quantity=9, fill_price=9000)]}))
    house.say("/v3/contracts/orders/7/matches", ok({"results": [match_row(1), match_row(2)]}))
    newer = order_row(7, unfilled_quantity=7, fill_price=9000, status="partial_filled")
    house.say("/v3/contracts/orders/7", ok(newer))
    result = await house.recover()

    [told] = house.told(ToldOrder)
    assert result.complete
    assert ("3", 2) == (told.order.filled_quantity, len(house.told(ToldFill)))


@pytest.mark.parametrize(
    "matches",
    [
        ok({"results": [match_row(3)]}),
        ok({"results": [{"price": 1}]}),
        (404, {"status": 1797, "msg": "order not found"}),
    ],
    ids=["one is missing", "not understood", "not found"],
)
async def test_executions_that_do_not_explain_the_order(matches: Any, autojump_clock: MockClock):
    """The order is told alone, for the house to derive from, and the recovery is incomplete."""
    house = House()
    house.say(CLOSED, ok(page([filled_row(7)])))
    house.say("/v3/contracts/orders/7", ok(filled_row(7)))
    house.say("/v3/contracts/orders/7/matches", matches)
    result = await house.recover()

    [told] = house.told(ToldOrder)
    assert not result.complete
    assert "order 7" in result.detail
    assert (None, []) == (told.baseline, house.told(ToldFill))


async def test_known_order_in_neither_list_is_asked_for(autojump_clock: MockClock):
    """An order that was placed long before the gap and ended in it is read by its id."""
    house = House()
    old = order_row(7, status="fully_cancelled", created_at=BEFORE, symbol=None)
    house.say("/v3/contracts/orders/7", ok(old))
    result = await house.recover(knowing(known_order("7")))

    [told] = house.told(ToldOrder)
    assert result.complete
    assert (OrderStatus.CANCELED, "BTCUSD_P") == (told.order.status, told.venue_symbol)


@pytest.mark.parametrize("answer", [(400, {"status": 1797, "msg": "not found"}), (404, b"")])
async def test_known_order_that_the_venue_forgot(answer: Any, autojump_clock: MockClock):
    """A failure of REST never becomes an order's state: it is a doubt."""
    house = House()
    house.say("/v3/contracts/orders/7", answer)
    result = await house.recover(knowing(known_order("7")))

    assert RecoveryResult(complete=False, detail="FMEX does not know order 7 any more") == result
    assert [] == house.told(ToldOrder)


async def test_orders_of_other_contracts_are_left_alone(autojump_clock: MockClock):
    """What is not subscribed is neither told nor asked for."""
    house = House()
    house.say(OPEN, ok({"results": [order_row(1, symbol="ETHUSD_P")]}))
    result = await house.recover(knowing(known_order("2", symbol="ETHUSD_P")))

    assert result.complete
    assert [] == house.finds.told


async def test_pages_are_read_back_to_the_gap(autojump_clock: MockClock):
    """Pages go on until one holds nothing of the time in question; older rows are not told."""
    house = House()
    pages = {
        "0": page([order_row(9), order_row(8)], following=8),
        "8": page([order_row(7), order_row(6, created_at=BEFORE, updated_at=BEFORE)], following=6),
        "6": page([order_row(5, created_at=BEFORE, updated_at=BEFORE)], following=5),
        "5": page([order_row(4)]),
    }
    house.say(CLOSED, lambda params: ok(pages[params["offsetId"]]))
    await house.recover()

    assert ["9", "8", "7"] == [told.order.order_id for told in house.told(ToldOrder)]
    assert ["0", "8", "6"] == [params["offsetId"] for params in house.asked(CLOSED)]


async def test_short_page_is_the_last_one(autojump_clock: MockClock):
    """Where nothing is said about more, a page that is not full ends the list."""
    house = House()
    full = [order_row(number) for number in range(1000, 900, -1)]
    answers: Mapping[str, Any] = {
        "0": {"results": full, "nextOffsetId": 901},
        "901": {"results": [order_row(900)], "nextOffsetId": 900},
    }
    house.say(CLOSED, lambda params: ok(answers[params["offsetId"]]))
    await house.recover()

    assert 101 == len(house.told(ToldOrder))


async def test_page_that_names_itself_does_not_go_round(autojump_clock: MockClock):
    """A venue whose pages never end does not keep the recovery for ever."""
    house = House()
    house.say(CLOSED, lambda _: ok(page([order_row(9)], following=9)))
    await house.recover()

    assert 2 == len(house.asked(CLOSED))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2020-02-04T00:00Z", "2020-02-04T12:00Z", ["202002"]),
        ("2020-01-31T15:00Z", "2020-01-31T15:59Z", ["202001"]),
        ("2020-01-31T15:00Z", "2020-01-31T16:01Z", ["202002", "202001"]),
        ("2020-01-31T23:59Z", "2020-02-01T00:01Z", ["202002", "202001"]),
        ("2019-11-30T00:00Z", "2020-02-01T00:00Z", ["202002", "202001", "201912", "201911"]),
        ("2030-01-01T00:00Z", "2020-02-04T00:00Z", ["202002"]),
    ],
)
def test_months(first: str, last: str, expected: list[str]):
    """Over a month's border, by UTC or by China's clock, both months are asked for."""
    first_ms, last_ms = (
        int(datetime.fromisoformat(text).timestamp() * 1000) for text in (first, last)
    )

    assert expected == months_between(first_ms, last_ms)


async def test_single_orders_are_mended(autojump_clock: MockClock):
    """For missing executions only these orders are asked for, whatever their contract."""
    house = House()
    house.say("/v3/contracts/orders/7", ok(filled_row(7, symbol="ETHUSD_P")))
    house.say("/v3/contracts/orders/7/matches", ok({"results": [match_row(10)]}))
    plan = RecoveryPlan(
        purpose=Purpose.ORDER, order_ids=("7",), known=knowing(known_order("7", "4"))
    )
    result = await house.venue.adapter.recover(plan, house.finds)

    assert result.complete
    assert [ToldFill, ToldOrder] == [type(each) for each in house.finds.told]
    assert [] == house.asked(OPEN)


async def test_finds_are_as_old_as_the_question(autojump_clock: MockClock):
    """What REST tells is dated by when it was asked, however long the answer took."""
    house = House()
    house.venue.rest.seconds = 5
    house.say(OPEN, ok({"results": [order_row(1)]}))
    started = trio.current_time()
    await house.recover(purpose=Purpose.SNAPSHOT)

    assert [START_NS + round(started * 1e9)] == house.finds.asked_at


async def test_gap_is_compared_by_the_venues_clock(autojump_clock: MockClock):
    """With our clock an hour slow, what ended within the gap is still within it."""
    house = House(skew_ns=-3600 * 10**9)
    await house.venue.adapter.probe()
    house.say(CLOSED, ok(page([order_row(1, created_at=BEFORE, updated_at=AFTER)])))
    await house.recover(since_ns=SINCE_NS - 3600 * 10**9)
    assert 1 == len(house.told(ToldOrder))

    house.say(CLOSED, ok(page([order_row(2, created_at=BEFORE, updated_at=BEFORE)])))
    await house.recover(since_ns=SINCE_NS - 3600 * 10**9)
    assert 1 == len(house.told(ToldOrder))


# --- when REST fails ------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((500, b"<html>"), VenueUnavailable),
        ((200, b"<html>maintenance</html>"), VenueUnavailable),
        ((200, b'{"status":0}'), VenueUnavailable),
        ((200, b'{"status":0,"data":[]}'), VenueUnavailable),
        ((200, b'{"status":"fail","data":{}}'), VenueUnavailable),
        ((400, {"status": 1002, "msg": "system busy"}), VenueUnavailable),
        ((426, b""), RateLimited),
        ((401, b""), LoginRefused),
        ((400, {"status": 3001, "msg": "no permission"}), LoginRefused),
        ((400, {"status": "3001", "msg": None}), LoginRefused),
        ((400, {"status": -1}), VenueUnavailable),
        ((200, b""), VenueUnavailable),
        (RateLimited("429"), RateLimited),
        ((400, {"status": 6004, "msg": "timestamp is out of range"}), ClockSkewed),
    ],
)
async def test_failure_of_rest(answer: Any, kind: type[StreamError], autojump_clock: MockClock):
    """A failed request ends the recovery by the error that it is, never as a state."""
    house = House()
    house.say(ACCOUNTS, answer)

    with pytest.raises(StreamError) as raised:
        await house.recover()
    assert kind is type(raised.value)


@pytest.mark.parametrize("good", [0, "0", "ok", "OK"])
async def test_good_answers_in_every_spelling(good: Any, autojump_clock: MockClock):
    """A good status is a number or a word, and an empty list may be written as null."""
    house = House()
    house.say(ACCOUNTS, (200, {"status": good, "data": {"BTC": ["1.5", 0, "0E-18"]}}))
    house.say(OPEN, (200, {"status": good, "data": {"results": None}}))
    house.say(CLOSED, (200, {"status": good, "data": {"results": None, "hasMore": False}}))
    result = await house.recover()

    assert result.complete
    assert ["1.5"] == [each.balance.available for each in house.told(ToldBalance)]


async def test_refused_time_is_learned_and_sent_again(autojump_clock: MockClock):
    """A clock that jumped is corrected from the venue's, without failing."""
    house = House(skew_ns=3600 * 10**9)
    stamps: list[int] = []

    def judge(_: Mapping[str, str]) -> tuple[int, Any]:
        stamp = int(house.venue.rest.requests[-1][2]["FC-ACCESS-TIMESTAMP"])
        stamps.append(stamp - house.venue.rest.venue_ms())
        if abs(stamps[-1]) > 30_000:
            return 400, {"status": 6004, "msg": "timestamp is out of range"}
        return ok({"BTC": [1, 0, 0]})

    house.say(ACCOUNTS, judge)
    result = await house.recover()

    assert result.complete
    assert 1 == len(house.told(ToldBalance))
    assert 2 == len(stamps)


async def test_message_of_the_venue_shows_no_secret(autojump_clock: MockClock):
    """A venue that echoes our key gets it redacted out of the error."""
    house = House()
    house.say(ACCOUNTS, (400, {"status": 2020, "msg": f"no such key {API_KEY}"}))
    with pytest.raises(LoginRefused) as raised:
        await house.recover()

    assert "no such key [redacted]" in str(raised.value)


async def test_many_doubts_are_summed_up(autojump_clock: MockClock):
    """A hundred doubts are a few sentences and a number."""
    house = House()
    orders = [known_order(str(number)) for number in range(100)]
    result = await house.recover(knowing(*orders))

    assert not result.complete
    assert result.detail.endswith("and 95 more")


def test_plan_asks_for_what_is_followed():
    """The plan is pure: configured contracts, and known open orders of these."""
    adapter = House().venue.adapter
    known = knowing(known_order("1"), known_order("2", symbol="ETHUSD_P"))
    plan = adapter.plan_recovery(known, Purpose.CHECK, 5)

    assert (("BTCUSD_P",), ("1",), 5) == (plan.venue_symbols, plan.order_ids, plan.since_ns)
    assert msgspec.structs.asdict(plan)["known"] is known
