"""The adapter, the house's book and the simulator over real sockets on loopback.

The simulator shares no code with the adapter: it knows the documents only, and
what truly happened.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
import trio

from adapters.fmex.adapter import PerpetualAdapter
from adapters.fmex.settings import Credentials, Endpoints, Settings
from adapters.fmex.simulator import SIMULATOR
from gateway.accounts.book import Book
from gateway.accounts.news import Heard
from gateway.clock import WALL_CLOCK
from gateway.contracts.adapter import (
    AccountOptions,
    AdapterContext,
    Purpose,
    RecoveryResult,
    Transport,
)
from gateway.contracts.told import Told, ToldOrder
from gateway.contracts.values import Secret
from gateway.errors import LoginRefused, StreamError
from gateway.events.model import Event, Kind, Origin
from gateway.simulator.scenario import Scenario
from gateway.simulator.simulator import Simulator, open_simulator
from gateway.simulator.truth import FactKind
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import Redactor
from gateway.wire.commons import HostCommons
from gateway.wire.limits import RequestLimits
from tests.adapters.fmex.doubles import Gate, Outlet

DEADLINE_SECONDS = 20
TOLERANCE = Decimal("1e-9")
"""Derived prices follow from averages that the venue cuts after 18 decimals."""


class House:
    """One account of the simulator: adapter, book, and every event so far."""

    def __init__(
        self, simulator: Simulator, *, transport: Transport, secret: str | None = None
    ) -> None:
        key, right_secret = simulator.credentials[0]
        self.simulator = simulator
        self.events: list[Event] = []
        self.outlet = Outlet()
        redactor = Redactor()
        self.adapter = PerpetualAdapter(
            Settings(
                credentials=Credentials(
                    api_key=Secret.of(key), secret=Secret.of(secret or right_secret)
                ),
                endpoints=Endpoints(rest=simulator.rest_url, websocket=simulator.websocket_url),
            ),
            AdapterContext(
                account="hedge",
                options=AccountOptions(venue="fmex", transport=transport),
                clock=WALL_CLOCK,
                metrics=Metrics(),
                redactor=redactor,
                connect_gate=Gate(),
                request_gate=RequestLimits(),
                commons=HostCommons(),
            ),
        )
        self.book = Book("hedge", "fmex", reconcile=self.adapter.reconcile, redactor=redactor)

    def take(self, told: Sequence[Told], heard: Heard) -> None:
        """Let the book make events of what was told."""
        self.events += self.book.apply(told, heard).events

    def take_pushes(self) -> None:
        """What the stream told."""
        self.take(self.outlet.told, Heard(origin=Origin.PUSH, received_ns=WALL_CLOCK.now_ns()))
        self.outlet.told.clear()

    async def recover(self, purpose: Purpose, since_ns: int | None) -> RecoveryResult:
        """Read REST, as the house does."""
        origin = Origin.SNAPSHOT if purpose is Purpose.SNAPSHOT else Origin.RECOVERY
        known = self.book.known(WALL_CLOCK.now_ns())
        plan = self.adapter.plan_recovery(known, purpose, since_ns)
        return await self.adapter.recover(plan, _BookFinds(self, origin, since_ns))

    def bodies(self, kind: Kind) -> list[Any]:
        return [event.body for event in self.events if event.kind is kind]


class _BookFinds:
    def __init__(self, house: House, origin: Origin, since_ns: int | None) -> None:
        self._house, self._origin, self._since_ns = house, origin, since_ns

    async def hear(self, told: Sequence[Told], received_ns: int, as_of_ns: int) -> None:
        heard = Heard(
            origin=self._origin,
            received_ns=received_ns,
            as_of_ns=as_of_ns,
            now_ns=WALL_CLOCK.now_ns(),
            since_ns=self._since_ns,
        )
        self._house.take(told, heard)
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_house(
    *, transport: Transport = "trio-websocket", secret: str | None = None, **switches: Any
) -> AsyncIterator[House]:
    """A house at a market that moves on request."""
    scenario = Scenario(rate=0, accounts=1, seed=7, rate_limits=False, switches=switches)
    async with open_simulator(SIMULATOR, scenario=scenario) as simulator:
        house = House(simulator, transport=transport, secret=secret)
        try:
            yield house
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                await house.adapter.aclose()


async def until_pushed(house: House) -> None:
    """Wait until every order's last state was told by push."""
    wanted = {
        (order_id, fact.told["venue_status"], fact.told["filled_quantity"])
        for order_id, fact in house.simulator.truth.last(0, FactKind.ORDER).items()
    }
    with trio.fail_after(DEADLINE_SECONDS):
        while wanted:
            house.outlet.heard = trio.Event()
            wanted -= {
                (each.order.order_id, each.order.venue_status, each.order.filled_quantity)
                for each in house.outlet.told
                if isinstance(each, ToldOrder)
            }
            if wanted:
                await house.outlet.heard.wait()


def assert_orders_are_true(house: House, untold: Collection[str] = ()) -> None:
    """The book's last state of each order is what truly happened.

    `untold`: a status that this venue's REST does not list, for orders not known yet.
    """
    for order_id, fact in house.simulator.truth.last(0, FactKind.ORDER).items():
        told = fact.told
        known = house.book.orders.find(order_id)
        if known is None and told["status"] in untold:
            continue
        assert known is not None, order_id
        order = known.order
        assert (told["status"], told["final"], told["side"]) == (
            order.status,
            order.final,
            order.side,
        ), order_id
        assert Decimal(str(told["filled_quantity"])) == Decimal(order.filled_quantity or "NaN")


def assert_holdings_are_true(house: House) -> None:
    """The book's balance and position are the last ones."""
    [balance] = house.simulator.truth.last(0, FactKind.BALANCE).values()
    [position] = house.simulator.truth.last(0, FactKind.POSITION).values()
    holdings = house.book.holdings
    held, contract = holdings.balances["BTC"].body, holdings.positions["BTCUSD_P"].body
    assert Decimal(str(balance.told["total"])) == Decimal(held.total)
    assert (position.told["side"], position.told["quantity"]) == (contract.side, contract.quantity)


def assert_fills_are_true(house: House) -> None:
    """Each order's fills sum up to what was executed, in quantity and in value."""
    true = sums(fact.told for fact in house.simulator.truth.of(0, FactKind.FILL))
    found = sums(
        {"order_id": fill.order_id, "quantity": fill.quantity, "price": fill.price}
        for fill in house.bodies(Kind.FILL)
    )
    assert true.keys() == found.keys()
    for order_id, (quantity, value) in true.items():
        assert quantity == found[order_id][0], order_id
        assert abs(value / found[order_id][1] - 1) < TOLERANCE, order_id


def sums(fills: Any) -> dict[str, tuple[Decimal, Decimal]]:
    """Quantity and worth in BTC of the fills of each order."""
    totals: dict[str, tuple[Decimal, Decimal]] = {}
    for fill in fills:
        quantity, price = Decimal(str(fill["quantity"])), Decimal(str(fill["price"]))
        before = totals.get(str(fill["order_id"]), (Decimal(0), Decimal(0)))
        totals[str(fill["order_id"])] = (before[0] + quantity, before[1] + quantity / price)
    return totals


@pytest.mark.parametrize(
    ("switches", "transport"),
    [
        ({}, "trio-websocket"),
        ({"hello": False, "topics_reply": "new", "topics_id": False, "push_numbers": "java",
          "rest_case": "upper", "closed_positions": False, "extra_fields": True}, "websockets"),
        ({"signature_query": "raw", "push_numbers": "plain", "broker_positions": False,
          "month_zone": "utc8", "month_of": "ended"}, "trio-websocket"),
        ({"order_model": "old", "stops_in_open": False, "stop_trigger": "new_id"}, "websockets"),
    ],
    ids=["as documented", "no hello, upper case", "older path, raw query", "older rows"],
)  # fmt: skip
async def test_nothing_is_lost_over_a_cut(switches: dict[str, Any], transport: Transport):
    """Pushes and one recovery tell every fill once and the last state of every order."""
    untold = () if switches.get("stops_in_open", True) else ("pending_trigger",)
    async with open_house(transport=transport, **switches) as house:
        async with trio.open_nursery() as nursery:
            await nursery.start(house.adapter.run_stream, house.outlet)
            assert (await house.recover(Purpose.SNAPSHOT, None)).complete
            house.simulator.trade(count=80)
            await until_pushed(house)
            nursery.cancel_scope.cancel()
        house.take_pushes()
        assert len(house.bodies(Kind.FILL)) > 5
        assert_orders_are_true(house)
        assert_fills_are_true(house)

        since_ns, before = WALL_CLOCK.now_ns(), len(house.events)
        house.simulator.trade(count=80)
        result = await house.recover(Purpose.GAP, since_ns)

        assert RecoveryResult(complete=True) == result
        assert len(house.events) > before
        assert_orders_are_true(house, untold)
        assert_fills_are_true(house)
        assert_holdings_are_true(house)
        assert [] == house.bodies(Kind.UNRECOGNIZED)
        await assert_each_fact_is_one_event(house, since_ns)


async def assert_each_fact_is_one_event(house: House, since_ns: int) -> None:
    """Reading the same gap again finds nothing; no fill was told twice."""
    before = len(house.events)
    await house.recover(Purpose.GAP, since_ns)
    assert [] == house.events[before:]
    fills = [event.id for event in house.events if event.kind is Kind.FILL]
    assert len(set(fills)) == len(fills)


@pytest.mark.parametrize("refused_login", ["http_401", "open_then_close", "message", "anonymous"])
@pytest.mark.parametrize("transport", ["trio-websocket", "websockets"])
async def test_wrong_secret(refused_login: str, transport: Transport):
    """In every form of refusal that is thinkable, a wrong secret is named as such.

    A venue that stays mute is met in virtual time, in `test_stream`.
    """
    wrong = "0" * 32
    async with open_house(transport=transport, secret=wrong, refused_login=refused_login) as house:
        with trio.fail_after(DEADLINE_SECONDS), pytest.raises(StreamError) as raised:
            await house.adapter.run_stream(house.outlet)

        assert LoginRefused is type(raised.value)


async def test_probe():
    """`gateway check --connect` finds a simulated account in good order."""
    async with open_house() as house:
        assert all(finding.ok for finding in await house.adapter.probe())
