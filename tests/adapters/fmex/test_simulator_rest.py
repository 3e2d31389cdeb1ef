"""The pretend FMEX's REST side: the truth by REST, paging, months, codes, orders."""

from decimal import Decimal
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from adapters.fmex.simulator import SIMULATOR as FMEX
from gateway.simulator import QUIET, FactKind, Scenario, open_simulator, steps
from tests.doubles.simulated import CLOCK, EPOCH_NS, FmexClient, ask

ORDERS = "/v3/contracts/orders"
MONTH = "202009"
"""The month in which the tests' clock begins."""
OCTOBER = 1_601_510_400 - EPOCH_NS // 10**9
"""Midnight UTC of 2020-10-01, by the tests' clock."""


def switched(**switches: Any) -> Scenario:
    """A quiet market with these switches."""
    return Scenario(rate=0, rate_limits=False, switches=switches)


async def closed(client: FmexClient, limit: int = 100, month: str = MONTH) -> list[Any]:
    """Every ended order of a month, page by page."""
    rows: list[Any] = []
    offset = 0
    while True:
        page = (
            await client.get(f"{ORDERS}/closed?limit={limit}&offsetId={offset}&range={month}")
        ).json["data"]
        rows += page["results"]
        if not page["hasMore"]:
            return rows
        offset = page["nextOffsetId"]


async def test_rest_tells_the_truth(autojump_clock: MockClock):
    """Orders, executions, balances and positions of REST are what happened."""
    async with open_simulator(FMEX, scenario=switched(), clock=CLOCK) as simulator:
        simulator.trade(0, 200)
        client = FmexClient(simulator)
        rows = await closed(client, limit=7)
        rows += (await client.get(f"{ORDERS}/open")).json["data"]["results"]
        told = {str(row["id"]): row for row in rows}
        truth = simulator.truth.last(0, FactKind.ORDER)
        assert told.keys() == truth.keys()
        assert len(rows) == len(told)
        for name, row in told.items():
            assert row["status"].upper() == truth[name].told["venue_status"]
            matches = (await client.get(f"{ORDERS}/{name}/matches")).json["data"]["results"]
            assert sum(m["quantity"] for m in matches) == row["quantity"] - row["unfilled_quantity"]
        [balance] = simulator.state()["balances"]
        answer = await client.get("/v3/contracts/accounts")
        text = answer.body.decode()
        assert balance["available"] in text
        [position] = simulator.state()["positions"]
        answer = await client.get("/v3/broker/auth/contracts/positions")
        assert answer.json["status"] == "ok"
        assert str(answer.json["data"]["results"][0]["quantity"]) == position["quantity"]


@pytest.mark.parametrize(
    ("zone", "of", "expected"),
    [("utc", "created", MONTH), ("utc8", "created", "202010"), ("utc", "ended", "202010")],
)
async def test_months(autojump_clock: MockClock, zone: str, of: str, expected: str):
    """`range` is a month of UTC or of UTC+8, by creation or by end."""
    async with open_simulator(
        FMEX, scenario=switched(month_zone=zone, month_of=of), clock=CLOCK
    ) as simulator:
        client = FmexClient(simulator)
        await trio.sleep_until(OCTOBER - 3600)
        terms = {"symbol": "btcusd_p", "direction": "long", "quantity": 1, "price": 5000}
        placed = (await client.post(ORDERS, terms)).json["data"]["id"]
        await trio.sleep_until(OCTOBER + 3600)
        await client.post(f"{ORDERS}/{placed}/cancel", {})
        filed = [
            month
            for month in (MONTH, "202010")
            if placed in {row["id"] for row in await closed(client, month=month)}
        ]
    assert filed == [expected]


async def test_old_and_new_shapes(autojump_clock: MockClock):
    """Enums in either case, the old order model, either position path, no closed positions."""
    scenario = switched(
        rest_case="upper", order_model="old", broker_positions=False, closed_positions=False
    )
    async with open_simulator(FMEX, scenario=scenario, clock=CLOCK) as simulator:
        client = FmexClient(simulator)
        assert (await client.get("/v3/contracts/positions")).json["data"]["results"] == []
        assert (await client.get("/v3/broker/auth/contracts/positions")).status == 404
        simulator.trade(0, 50)
        row = (await closed(client))[0]
        assert row["status"].isupper()
        assert "sequenceId" in row
        assert "symbol" not in row


async def test_who_may_ask(autojump_clock: MockClock):
    """Each refused login has its code; the 101st request in 10 s gets 429."""
    async with open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as simulator:
        client, path = FmexClient(simulator), "/v3/contracts/accounts"
        assert (await ask(simulator, "GET", path)).json["status"] == 2020
        simulator.do(steps.ClockSkew(by=60, lasting=1))
        late = await client.get(path)
        assert (late.status, late.json["status"]) == (401, 6004)
        await trio.sleep(2)
        simulator.do(steps.RefuseLogin(code=2136, lasting=1))
        assert (await client.get(path)).json["status"] == 2136
        await trio.sleep(2)
        assert [(await client.get(path)).status for _ in range(101)] == [200] * 100 + [429]
        client.secret = "0" * 32
        assert (await client.get(path)).json["status"] == 2111
        assert (await ask(simulator, "GET", "/v3/nothing")).status == 404


async def test_public_paths(autojump_clock: MockClock):
    """Time and contracts need no signature."""
    async with open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as simulator:
        time = (await ask(simulator, "GET", "/v2/public/server-time")).json
        assert time == {"status": 0, "data": CLOCK.now_ns() // 1_000_000}
        symbols = (await ask(simulator, "GET", "/v2/public/contracts/symbols")).json
        assert symbols["data"][0]["symbol"] == "BTCUSD_P"


async def test_orders_by_rest(autojump_clock: MockClock):
    """An order is placed, found, cancelled, and not cancelled twice."""
    async with open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as simulator:
        client = FmexClient(simulator)
        terms = {"symbol": "btcusd_p", "direction": "long", "type": "limit", "quantity": 10}
        placed = (await client.post(ORDERS, {**terms, "price": 9000})).json["data"]
        assert (placed["status"], placed["unfilled_quantity"]) == ("pending", 10)
        found = (await client.get(f"{ORDERS}/open/{placed['id']}")).json["data"]
        assert found == placed
        gone = (await client.post(f"{ORDERS}/{placed['id']}/cancel", {})).json["data"]
        assert gone["status"] == "fully_cancelled"
        late = await client.post(f"{ORDERS}/{placed['id']}/cancel", {})
        assert (late.status, late.json["status"]) == (400, 3008)
        assert (await client.get(f"{ORDERS}/open/{placed['id']}")).json["status"] == 1797
        market = {"symbol": "btcusd_p", "direction": "short", "type": "market", "quantity": 5}
        sold = (await client.post(ORDERS, market)).json["data"]
        assert (sold["status"], sold["features"]) == ("fully_filled", 8)


@pytest.mark.parametrize(
    ("terms", "status"),
    [
        ({"direction": "long"}, 400),
        ({"direction": "up", "quantity": 1, "price": 9000}, 400),
        ({"direction": "long", "quantity": 0, "price": 9000}, 400),
        ({"direction": "long", "quantity": 1, "price": "9000.3"}, 400),
        ({"direction": "long", "quantity": 1, "price": "NaN"}, 400),
        ({"direction": "long", "quantity": 100_000, "price": "0.5"}, 1016),
    ],
)
async def test_bad_orders(autojump_clock: MockClock, terms: dict[str, Any], status: int):
    """Orders that make no sense or cost too much are refused."""
    async with open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as simulator:
        answer = await FmexClient(simulator).post(ORDERS, {"symbol": "btcusd_p", **terms})
    assert (answer.status, answer.json["status"]) == (400, status)


async def test_numbers_of_rest_are_exact(autojump_clock: MockClock):
    """18 decimals, and zeros as ``0E-18``, as in the documents' sample."""
    async with open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as simulator:
        text = (await FmexClient(simulator).get("/v3/contracts/accounts")).body.decode()
        [balance] = simulator.state()["balances"]
    assert f"[{balance['available']},0E-18,0E-18]" in text
    assert len(Decimal(balance["available"]).as_tuple().digits) >= 15
