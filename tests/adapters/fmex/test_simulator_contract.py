"""The pretend FMEX's arithmetic: published samples to the last digit, and exact books."""

from collections import defaultdict
from decimal import Decimal, localcontext
from typing import Any

import pytest
from trio.testing import MockClock

from adapters.fmex.simulator import SIMULATOR as FMEX
from adapters.fmex.simulator import contract
from adapters.fmex.simulator.signing import sign
from gateway.simulator import QUIET, FactKind, Scenario, Simulator, open_simulator
from gateway.simulator.arithmetic import EXACT, cut
from tests.doubles.simulated import CLOCK

MOVES = 1_500


def test_the_fee_of_the_order_sample():
    """1 contract at 9288 with 0.00045: the page's order sample."""
    fee = cut(contract.value_of(1, Decimal(9288)) * Decimal("0.00045"))
    assert f"{fee:f}".startswith("0.0000000484496124")


def test_prices_of_distress_of_the_position_sample(monkeypatch: pytest.MonkeyPatch):
    """The page's position (rate 0.1, a test value) and the set-leverage sample (0.005)."""
    margin, entry = Decimal("9.749658727683e-06"), Decimal("9278.5")
    with localcontext(EXACT):
        bankruptcy = contract.bankruptcy_price(1, entry, margin, is_long=True)
        monkeypatch.setattr(contract, "MAINTENANCE_RATE", Decimal("0.1"))
        liquidation = contract.liquidation_price(1, entry, margin, is_long=True)
        monkeypatch.setattr(contract, "MAINTENANCE_RATE", Decimal("0.005"))
        other = (26754, Decimal("8276.33114284172"), Decimal(10))
        assert f"{contract.liquidation_price(*other, is_long=True):f}".startswith(
            "2032.845095833183"
        )
        assert f"{contract.bankruptcy_price(*other, is_long=True):f}".startswith(
            "2022.735965116423"
        )
    assert f"{liquidation:f}".startswith("9363.48389276160")
    assert f"{bankruptcy:f}".startswith("8512.60617066958")


def test_a_short_that_nothing_can_liquidate():
    """With more margin than worth there is no such price; 999999 stands for it."""
    price = contract.liquidation_price(100, Decimal(9000), Decimal(1), is_long=False)
    assert price == 999999


@pytest.mark.parametrize(
    ("secret", "text", "signature"),
    [
        (
            "ebfaeef06e2e49e1bc7e535c2766bbe6",
            (
                "POSThttps://api.fmex.com/v3/contracts/orders1571109222426"
                "direction=short&price=5500&quantity=100&source=WEB&symbol=btcusd_p&type=limit"
            ),
            "s37ML6NwRLqMco75wCqsXFVz5iw=",
        ),
        (
            "ebfaeef06e2e49e1bc7e535c2766bbe6",
            (
                "POSThttps://api.testnet.fmex.com/v3/contracts/orders1571109222426"
                "direction=short&price=5500&quantity=100&source=WEB&symbol=btcusd_p&type=limit"
            ),
            "g6vFomL3T3pOhCugUNo/UcaLxTw=",
        ),
        (
            "3600d0a74aa3410fb3b1996cca2419c8",
            (
                "POSThttps://api.fcoin.com/v2/orders1523069544359"
                "amount=100.0&price=100.0&side=buy&symbol=btcusdt&type=limit"
            ),
            "DeP6oftldIrys06uq3B7Lkh3a0U=",
        ),
        (
            "ebfaeef06e2e49e1bc7e535c2766bbe6",
            "GEThttps://api.fmex.com/v2/user/ws1580802204227",
            "o2+gFYMOh/MxftoizuDLew6lOs4=",
        ),
    ],
)
def test_known_signatures(secret: str, text: str, signature: str):
    """The vectors of the authentication chapters, and one with both ``+`` and ``/``."""
    assert sign(text, secret) == signature


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("account", [0, 1])
async def test_nothing_is_made_or_lost(autojump_clock: MockClock, seed: int, account: int):
    """The total moves by fees and realised profits, computed here anew, and by transfers."""
    async with open_simulator(FMEX, scenario=Scenario(rate=0, seed=seed), clock=CLOCK) as one:
        one.trade(account, MOVES)
        facts = one.truth.of(account)
    held, entry, due, total = 0, Decimal(0), None, None
    for fact in facts:
        told: dict[str, Any] = fact.told
        if fact.kind is FactKind.FILL:
            quantity = int(told["quantity"]) * (1 if told["side"] == "buy" else -1)
            held, entry, profit = replay(held, entry, quantity, Decimal(told["price"]))
            due = profit - Decimal(told["fee"])
        elif fact.kind is FactKind.POSITION:
            assert held == int(told["quantity"]) * (-1 if told["side"] == "short" else 1)
            assert abs(entry - Decimal(told["entry_price"])) < Decimal("1e-12")
        elif fact.kind is FactKind.BALANCE:
            before, total = total, Decimal(told["total"])
            assert total == sum(Decimal(told[p]) for p in ("available", "held", "position_margin"))
            assert Decimal(told["available"]) > 0
            if before is not None and due is not None:
                assert abs(total - before - due) < Decimal("1e-16")
            due = None


def replay(
    held: int, entry: Decimal, quantity: int, price: Decimal
) -> tuple[int, Decimal, Decimal]:
    """An inverse position after a fill, by the plain formulas: held, entry, profit."""
    with localcontext(prec=50):
        if held * quantity >= 0:
            worth = (held / entry if held else 0) + quantity / price
            return held + quantity, (held + quantity) / worth, Decimal(0)
        closed = max(min(-quantity, held), 0) + min(max(-quantity, held), 0)
        profit = closed * (1 / entry - 1 / price)
        rest = held + quantity
        if rest == 0:
            return 0, Decimal(0), profit
        return rest, (entry if rest * held > 0 else price), profit


async def test_positions_are_the_sum_of_fills(autojump_clock: MockClock):
    """Contracts bought minus contracts sold are held."""
    async with open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as one:
        one.trade(0, MOVES)
        net = sum(
            int(str(f.told["quantity"])) * (1 if f.told["side"] == "buy" else -1)
            for f in one.truth.of(0, FactKind.FILL)
        )
        [position] = one.state()["positions"]
        sign_of = {"long": 1, "short": -1, "flat": 0}[position["side"]]
    assert net == sign_of * int(position["quantity"])


@pytest.fixture
async def market(autojump_clock: MockClock):
    """A market after many moves."""
    async with open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.trade(0, MOVES)
        yield simulator


async def test_orders_live_as_orders_do(market: Simulator, autojump_clock: MockClock):
    """Average prices are harmonic means of the fills, fees are their sums, ends are ends."""
    fills = defaultdict(list)
    for fact in market.truth.of(0, FactKind.FILL):
        fills[str(fact.told["order_id"])].append(fact.told)
    states = defaultdict(list)
    for fact in market.truth.of(0, FactKind.ORDER):
        states[fact.key].append(fact.told)
    for order, told in states.items():
        assert not any(one["final"] for one in told[:-1])
        filled = sum(int(fill["quantity"]) for fill in fills[order])
        assert str(filled) == told[-1]["filled_quantity"]
        assert sum(Decimal(fill["fee"]) for fill in fills[order]) == Decimal(told[-1]["fee"])
        if filled:
            worth = sum(Decimal(fill["quantity"]) / Decimal(fill["price"]) for fill in fills[order])
            mean = filled / worth
            assert abs(mean - Decimal(told[-1]["average_price"])) < Decimal("1e-15") * mean


async def test_every_kind_of_life_happens(market: Simulator, autojump_clock: MockClock):
    """All eight statuses, every feature, stops up and down, liquidations, flat positions."""
    orders = [fact.told for fact in market.truth.of(0, FactKind.ORDER)]
    assert {told["venue_status"] for told in orders} == {
        "PENDING", "PARTIAL_FILLED", "FULLY_FILLED", "PARTIAL_CANCELLED", "FULLY_CANCELLED",
        "STOP_PENDING", "STOP_FAILED", "STOP_CANCELLED",
    }  # fmt: skip
    assert {told["time_in_force"] for told in orders} == {"gtc", "ioc", "fok"}
    assert {told["trigger_direction"] for told in orders} == {"up", "down", None}
    for feature in ("post_only", "hidden", "liquidation"):
        assert {told[feature] for told in orders} == {True, False}
    positions = [fact.told["side"] for fact in market.truth.of(0, FactKind.POSITION)]
    assert set(positions) == {"long", "short", "flat"}
