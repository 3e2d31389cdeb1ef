"""The pretend LBank's REST side: rows, pages, windows, envelopes and refusals."""

from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from adapters.lbank.simulator import SIMULATOR as LBANK
from adapters.lbank.simulator.trading import PAIRS
from gateway.simulator import QUIET, FactKind, Scenario, open_simulator
from tests.doubles.simulated import CLOCK, LbankClient, ask

SUPPLEMENT = "/v2/supplement"


async def pages(client: LbankClient, path: str, **query: str) -> list[Any]:
    """Every row, page by page until a short one."""
    rows: list[Any] = []
    for number in range(1, 100):
        answer = await client.post(path, current_page=str(number), page_length="7", **query)
        page = answer["data"]["orders"]
        rows += page
        if len(page) < 7:
            break
    return rows


async def test_rest_tells_the_truth(autojump_clock: MockClock):
    """Open and ended orders, trades and balances of REST together are what happened."""
    scenario = Scenario(rate=0, rate_limits=False, switches={"history": "all"})
    async with open_simulator(LBANK, scenario=scenario, clock=CLOCK) as simulator:
        simulator.trade(0, 300)
        client = LbankClient(simulator)
        orders, trades = {}, {}
        for pair in PAIRS:
            for path in ("supplement/orders_info_no_deal", "spot/trade/orders_info_history"):
                rows = await pages(client, f"/v2/{path}.do", symbol=pair)
                orders |= {row["orderId"]: row for row in rows}
            for order in [row["orderId"] for row in orders.values() if row["symbol"] == pair]:
                detail = await client.post(
                    "/v2/order_transaction_detail.do", symbol=pair, order_id=order
                )
                trades |= {f"{order}/{row['txUuid']}": row for row in detail["data"]}
        true_orders = simulator.truth.last(0, FactKind.ORDER)
        true_trades = simulator.truth.last(0, FactKind.FILL)
        assert orders.keys() == true_orders.keys()
        assert trades.keys() == true_trades.keys()
        for name, row in orders.items():
            told = true_orders[name].told
            assert str(row["status"]) == told["venue_status"]
            assert Decimal(str(row["executedQty"])) == Decimal(str(told["filled_quantity"]))
        account = await client.post(f"{SUPPLEMENT}/user_info_account.do")
        state = {one["asset"]: one["available"] for one in simulator.state()["balances"]}
        assert {row["asset"].upper(): row["free"] for row in account["data"]["balances"]} == state


async def test_history_forgets_and_hides(autojump_clock: MockClock):
    """By default only cancelled and filled orders of 24 h; others by their status, or by id."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.trade(0, 300)
        client, path = LbankClient(simulator), f"{SUPPLEMENT}/orders_info_history.do"
        rows = await pages(client, path, symbol="eth_btc")
        assert {row["status"] for row in rows} == {-1, 2}
        partly = await pages(client, path, symbol="eth_btc", status="3")
        assert {row["status"] for row in partly} == {3}
        await trio.sleep(86_400)
        await trio.sleep(1)
        assert await pages(client, path, symbol="eth_btc") == []
        one = await client.post(
            "/v2/spot/trade/orders_info.do", symbol="eth_btc", orderId=rows[0]["orderId"]
        )
        assert one["data"]["orderId"] == rows[0]["orderId"]


async def test_trades_by_window(autojump_clock: MockClock):
    """Windows are in UTC+8, at most two days wide, and pages go on by id."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.trade(0, 300)
        client, path = LbankClient(simulator), f"{SUPPLEMENT}/transaction_history.do"
        everything = (await client.post(path, symbol="eth_btc"))["data"]
        # 1,600,000,000 is 12:26:40 UTC on 2020-09-13, so 20:26:40 in UTC+8.
        inside = {"startTime": "2020-09-13 20:26:00", "endTime": "2020-09-13 20:27:00"}
        outside = {"startTime": "2020-09-13 12:26:00", "endTime": "2020-09-13 12:27:00"}
        assert (await client.post(path, symbol="eth_btc", **inside))["data"] == everything
        assert (await client.post(path, symbol="eth_btc", **outside))["data"] == []
        wide = {"startTime": "2020-09-10", "endTime": "2020-09-13"}
        assert (await client.post(path, symbol="eth_btc", **wide))["error_code"] == 10028
        later = await client.post(path, symbol="eth_btc", fromId=everything[2]["id"], limit="2")
        assert later["data"] == everything[3:5]


async def test_trade_ids_may_differ(autojump_clock: MockClock):
    """With `trade_ids: different` the history's id is not the push's txUuid."""
    for word, same in (("same", True), ("different", False)):
        scenario = Scenario(rate=0, switches={"trade_ids": word})
        async with open_simulator(LBANK, scenario=scenario, clock=CLOCK) as simulator:
            simulator.trade(0, 100)
            rows = (
                await LbankClient(simulator).post(
                    f"{SUPPLEMENT}/transaction_history.do", symbol="eth_btc"
                )
            )["data"]
            known = {fact.told["fill_id"] for fact in simulator.truth.of(0, FactKind.FILL)}
            assert all((row["id"] in known) is same for row in rows)


async def test_v1_has_its_own_shapes(autojump_clock: MockClock):
    """v1 signs by MD5, says "true" as text, and writes no orders as an empty text."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        client = LbankClient(simulator)
        empty = await client.post_v1(
            "/v1/orders_info_no_deal.do", symbol="eth_btc", current_page="1", page_length="9"
        )
        assert (empty["result"], empty["orders"]) == ("true", "")
        assert "usdt" in (await client.post_v1("/v1/user_info.do"))["info"]["free"]
        assert len((await client.post_v1("/v1/subscribe/get_key.do"))["subscribeKey"]) == 64
        simulator.trade(0, 100)
        rows = (
            await client.post_v1(
                "/v1/orders_info_history.do", symbol="eth_btc", current_page="1", page_length="9"
            )
        )["orders"]
        detail = await client.post_v1(
            "/v1/order_transaction_detail.do", symbol="eth_btc", order_id=rows[0]["order_id"]
        )
        assert detail["result"] == "true"


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("orders_info_no_deal", {}, 10001),
        ("orders_info_no_deal", {"symbol": "no_pair"}, 10008),
        ("orders_info_no_deal", {"symbol": "eth_btc"}, 10003),
        (
            "orders_info_no_deal",
            {"symbol": "eth_btc", "current_page": "1", "page_length": "201"},
            10018,
        ),
        ("orders_info", {"symbol": "eth_btc"}, 10001),
        ("orders_info", {"symbol": "eth_btc", "orderId": "none"}, 10032),
        ("transaction_history", {"symbol": "eth_btc", "startTime": "soon"}, 10028),
        ("create_order", {"symbol": "eth_btc", "type": "hold"}, 10015),
        ("create_order", {"symbol": "eth_btc", "type": "buy"}, 10009),
        (
            "create_order",
            {"symbol": "eth_btc", "type": "buy", "price": "1", "amount": "NaN"},
            10009,
        ),
        ("create_order", {"symbol": "eth_btc", "type": "buy", "price": "1", "amount": "9"}, 10016),
        (
            "create_order",
            {"symbol": "eth_btc", "type": "buy", "price": "1", "amount": "1.00001"},
            10003,
        ),
        ("cancel_order", {"symbol": "eth_btc", "orderId": "none"}, 10032),
    ],
)
async def test_refusals(autojump_clock: MockClock, path: str, query: dict[str, str], code: int):
    """Wrong parameters get LBank's own codes, with HTTP 200."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        answer = await LbankClient(simulator).post(f"{SUPPLEMENT}/{path}.do", **query)
    assert (answer["result"], answer["error_code"]) == ("false", code)


async def test_who_may_ask(autojump_clock: MockClock):
    """Time before key before signature before rate, each with its code."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        client = LbankClient(simulator)
        path = f"{SUPPLEMENT}/api_Restrictions.do"
        assert (await client.post(path))["result"] == "true"
        assert (await ask(simulator, "POST", path)).json["error_code"] == 10201
        client.api_key = "stranger"
        assert (await client.post(path, late_ms=90_000))["error_code"] == 10600
        assert (await client.post(path))["error_code"] == 10005
        client = LbankClient(simulator)
        client.secret = "wrong"
        assert (await client.post(path))["error_code"] == 10007
        assert (await ask(simulator, "GET", "/v2/nothing.do")).status == 404


async def test_the_rate_is_limited(autojump_clock: MockClock):
    """The 201st request within 10 s is refused; later ones pass again."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        client, path = LbankClient(simulator), f"{SUPPLEMENT}/api_Restrictions.do"
        codes = [(await client.post(path))["error_code"] for _ in range(201)]
        assert codes == [0] * 200 + [10004]
        await trio.sleep(11)
        assert (await client.post(path))["error_code"] == 0


async def test_orders_by_rest(autojump_clock: MockClock):
    """An order is placed, seen, not placed twice, cancelled, and not cancelled twice."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        client = LbankClient(simulator)
        terms = {"symbol": "eth_btc", "type": "buy", "price": "0.01", "amount": "2"}
        placed = await client.post(f"{SUPPLEMENT}/create_order.do", **terms, custom_id="mine")
        name = placed["data"]["order_id"]
        again = await client.post(f"{SUPPLEMENT}/create_order.do", **terms, custom_id="mine")
        assert again["error_code"] == 10036
        seen = await client.post(
            f"{SUPPLEMENT}/orders_info.do", symbol="eth_btc", origClientOrderId="mine"
        )
        assert (seen["data"]["orderId"], seen["data"]["status"]) == (name, 0)
        cancelled = await client.post(
            f"{SUPPLEMENT}/cancel_order.do", symbol="eth_btc", orderId=name
        )
        assert cancelled["data"]["status"] == 0
        late = await client.post(f"{SUPPLEMENT}/cancel_order.do", symbol="eth_btc", orderId=name)
        assert late["error_code"] == 10026
        statuses = [f.told["status"] for f in simulator.truth.of(0, FactKind.ORDER)]
        assert statuses == ["new", "pending_cancel", "canceled"]


@pytest.mark.parametrize(
    ("envelope", "expected"),
    [("string", ("true", "false")), ("boolean", (True, False)), ("mixed", ("true", "false"))],
)
async def test_envelopes(autojump_clock: MockClock, envelope: str, expected: tuple[object, object]):
    """`result` is text or a boolean, as the switch says."""
    scenario = Scenario(rate=0, switches={"envelope": envelope})
    async with open_simulator(LBANK, scenario=scenario, clock=CLOCK) as simulator:
        client = LbankClient(simulator)
        good = await client.post(f"{SUPPLEMENT}/api_Restrictions.do")
        bad = await client.post(f"{SUPPLEMENT}/orders_info_no_deal.do")
    assert (good["result"], bad["result"]) == expected
