"""The pretend LBank's market: lively, and exact to the last digit."""

from collections import defaultdict
from decimal import Decimal

import pytest
from trio.testing import MockClock

from adapters.lbank.simulator import SIMULATOR as LBANK
from adapters.lbank.simulator.trading import START
from gateway.simulator import QUIET, FactKind, Scenario, Simulator, open_simulator
from tests.doubles.simulated import CLOCK

MOVES = 1_500


@pytest.fixture
async def market(autojump_clock: MockClock):
    """A market after many moves."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.trade(0, MOVES)
        yield simulator


@pytest.mark.parametrize("seed", range(5))
async def test_nothing_is_made_or_lost(autojump_clock: MockClock, seed: int):
    """Every balance follows from the deposits, fills and fees of the truth."""
    async with open_simulator(LBANK, scenario=Scenario(rate=0, seed=seed), clock=CLOCK) as one:
        one.trade(0, MOVES)
        expected = {asset.upper(): Decimal(amount) for asset, amount in START.items()}
        known = dict(expected)
        for fact in one.truth.of(0):
            told = fact.told
            if fact.kind is FactKind.FILL:
                base, quote = str(told["symbol"]).split("/")
                sign = 1 if told["side"] == "buy" else -1
                expected[base] += sign * Decimal(str(told["quantity"]))
                expected[quote] -= sign * Decimal(str(told["value"]))
                expected[str(told["fee_currency"])] -= Decimal(str(told["fee"]))
            elif fact.kind is FactKind.BALANCE and told["reason"] in ("DEPOSIT", "WITHDRAW"):
                expected[fact.key] += Decimal(str(told["total"])) - known[fact.key]
            if fact.kind is FactKind.BALANCE:
                known[fact.key] = Decimal(str(told["total"]))
        held = {b["asset"]: Decimal(b["total"]) for b in one.state()["balances"]}
    assert held == expected


async def test_held_is_what_open_orders_hold(market: Simulator, autojump_clock: MockClock):
    """The frozen part of each asset is the sum of what its open orders froze."""
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for order in market.state()["open_orders"]:
        base, quote = order["symbol"].split("/")
        rest = Decimal(order["quantity"]) - Decimal(order["filled_quantity"])
        held[quote if order["side"] == "buy" else base] += (
            rest * Decimal(order["price"]) if order["side"] == "buy" else rest
        )
    for balance in market.state()["balances"]:
        assert Decimal(balance["held"]) == held[balance["asset"]]
        assert Decimal(balance["available"]) >= 0


async def test_orders_live_as_orders_do(market: Simulator, autojump_clock: MockClock):
    """Filled quantities grow by the fills alone, nothing follows an end, sums agree."""
    states: defaultdict[str, list[dict]] = defaultdict(list)
    filled: defaultdict[str, Decimal] = defaultdict(Decimal)
    for fact in market.truth.of(0):
        if fact.kind is FactKind.FILL:
            filled[str(fact.told["order_id"])] += Decimal(str(fact.told["quantity"]))
        elif fact.kind is FactKind.ORDER:
            states[fact.key].append(fact.told)
    for order, told in states.items():
        assert told[0]["status"] == "new"
        assert not any(one["final"] for one in told[:-1])
        amounts = [Decimal(one["filled_quantity"]) for one in told]
        assert amounts == sorted(amounts)
        assert amounts[-1] == filled[order]


async def test_every_kind_of_life_happens(market: Simulator, autojump_clock: MockClock):
    """Partial fills, cancels with and without fills, market, IOC, FOK and post-only orders."""
    lives = defaultdict(list)
    for fact in market.truth.of(0, FactKind.ORDER):
        lives[fact.key].append(fact.told["status"])
    ways = {tuple(dict.fromkeys(life)) for life in lives.values()}
    assert {
        ("new", "filled"),
        ("new", "canceled"),
        ("new", "partially_filled", "filled"),
        ("new", "pending_cancel", "canceled"),
        ("new", "partially_filled", "canceled"),
    } <= ways
    kinds = {
        (f.told["type"], f.told["time_in_force"], f.told["post_only"])
        for f in market.truth.of(0, FactKind.ORDER)
    }
    assert kinds == {
        ("limit", "gtc", False),
        ("limit", "gtc", True),
        ("limit", "ioc", False),
        ("limit", "fok", False),
        ("market", None, False),
    }
