"""The adapter and the simulator, which share no code, over a real socket on loopback."""

import msgspec
import pytest
import trio

from adapters.lbank.adapter import SpotAdapter
from adapters.lbank.settings import Credentials, Endpoints, Recovery, Settings
from adapters.lbank.simulator import SIMULATOR
from gateway.clock import WALL_CLOCK
from gateway.contracts.adapter import AccountOptions, AdapterContext, Known, Purpose
from gateway.contracts.told import KnownOrder, ToldBalance, ToldFill, ToldOrder, ToldUnrecognized
from gateway.contracts.values import Secret
from gateway.errors import ConnectionLost, LoginRefused
from gateway.events.numbers import canonical
from gateway.simulator.scenario import Scenario
from gateway.simulator.simulator import Simulator, open_simulator
from gateway.simulator.truth import FactKind
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import Redactor
from gateway.wire.commons import HostCommons
from gateway.wire.limits import RequestLimits
from gateway.wire.onefailure import open_single_failure_nursery
from tests.adapters.lbank.pretend import MemoryFinds, MemoryOutlet, NoGate

PAIRS = ("eth_btc", "btc_usdt", "eth_usdt", "lbk_usdt", "vet_erc20_usdt")


def adapter_at(simulator: Simulator, signature: str, api: str, secret: str = "") -> SpotAdapter:
    """An adapter of the simulator's first account."""
    api_key, right_secret = simulator.credentials[0]
    settings = Settings(
        credentials=Credentials(
            api_key=Secret.of(api_key),
            secret=Secret.of(secret or right_secret),
            signature=signature,
        ),
        recovery=Recovery(pairs=PAIRS),
        endpoints=Endpoints(rest=simulator.rest_url, websocket=simulator.websocket_url, api=api),
    )
    context = AdapterContext(
        account="main",
        options=AccountOptions(venue="lbank"),
        clock=WALL_CLOCK,
        metrics=Metrics(),
        redactor=Redactor(),
        connect_gate=NoGate(),
        request_gate=RequestLimits(),
        commons=HostCommons(),
    )
    return SpotAdapter(settings, context)


def fills_told(told: list) -> dict[tuple[str, str | None], tuple[str, str]]:
    """Price and quantity of each trade, from pushes and rows."""
    found = [each for each in told if isinstance(each, ToldFill)]
    found += [each.trade for each in told if isinstance(each, ToldOrder) and each.trade]
    return {
        (each.fill.order_id, each.fill.fill_id): (
            canonical(each.fill.price),
            canonical(each.fill.quantity),
        )
        for each in found
    }


def true_fills(simulator: Simulator) -> dict[tuple[str, str | None], tuple[str, str]]:
    """The same, as they truly happened."""
    return {
        (fact.told["order_id"], fact.told["fill_id"]): (
            canonical(fact.told["price"]),
            canonical(fact.told["quantity"]),
        )
        for fact in simulator.truth.of(0, FactKind.FILL)
    }


def orders_told(told: list, adapter: SpotAdapter) -> dict[str, KnownOrder]:
    """The last state of each order, completed as the book would."""
    known: dict[str, KnownOrder] = {}
    for each in told:
        if not isinstance(each, ToldOrder):
            continue
        order_id = each.order.order_id
        result = adapter.reconcile(known.get(order_id), each)
        known[order_id] = KnownOrder(
            order=result.order,
            venue_symbol=each.venue_symbol,
            mark=result.mark,
            event_id="e",
            received_ns=0,
        )
    return known


def assert_orders_are_true(simulator: Simulator, known: dict[str, KnownOrder]) -> None:
    """Each order's last state is what truly happened, field by field."""
    for order_id, fact in simulator.truth.last(0, FactKind.ORDER).items():
        order = msgspec.to_builtins(known[order_id].order)
        for name in ("status", "final", "side", "type", "quantity", "filled_quantity", "price"):
            mine, true = order[name], fact.told[name]
            if name in ("quantity", "filled_quantity", "price") and mine is not None:
                mine, true = canonical(mine), true and canonical(true)
            assert mine == true, (order_id, name, order, fact.told)


@pytest.mark.parametrize(
    ("switches", "signature", "api"),
    [
        ({"trade_ids": "different"}, "hmac-sha256", "v2"),
        ({"push_form": "2019", "credentials": "rsa", "key_answer": "key"}, "rsa", "v2"),
        (
            {"credentials": "rsa", "partial_cancel": "3", "key_answer": "subscribe_key"},
            "rsa",
            "v1",
        ),
        ({"cancel_amounts": "last_trade", "history": "all", "envelope": "string"}, "md5", "v1"),
    ],
    ids=["today", "form of 2019 by RSA", "v1 by RSA", "v1 by MD5"],
)
async def test_nothing_is_lost_over_a_cut(switches: dict, signature: str, api: str) -> None:
    """Pushes and one recovery together tell every fill and the last state of every order."""
    scenario = Scenario(rate=0, accounts=1, rate_limits=False, switches=switches)
    async with open_simulator(SIMULATOR, scenario=scenario) as simulator:
        adapter = adapter_at(simulator, signature, api)
        outlet, finds = MemoryOutlet(), MemoryFinds()
        with pytest.raises(ConnectionLost):
            await live_until_cut(simulator, adapter, outlet)
        assert len(fills_told(outlet.told)) > 5, "nothing traded before the cut"
        since_ns = WALL_CLOCK.now_ns() - 10**9
        simulator.trade(count=60)
        known = orders_told(outlet.told, adapter)
        open_orders = {key: each for key, each in known.items() if not each.order.final}
        what = Known(open_orders=open_orders, find_order=known.get)

        plan = adapter.plan_recovery(what, Purpose.GAP, since_ns)
        result = await adapter.recover(plan, finds)
        await adapter.aclose()

        everything = outlet.told + finds.told
        assert result.detail == ""
        assert result.complete
        assert not [each for each in everything if isinstance(each, ToldUnrecognized)]
        assert fills_told(everything) == true_fills(simulator)
        assert len(fills_told(finds.told)) > 5, "nothing traded during the cut"
        assert_orders_are_true(simulator, orders_told(everything, adapter))
        balances = {t.balance.asset: t.balance for t in finds.told if isinstance(t, ToldBalance)}
        for asset, fact in simulator.truth.last(0, FactKind.BALANCE).items():
            assert canonical(balances[asset].available) == canonical(fact.told["available"])


async def live_until_cut(simulator: Simulator, adapter: SpotAdapter, outlet: MemoryOutlet) -> None:
    """Hear a lively market, then lose the connection."""
    async with open_single_failure_nursery() as nursery:
        await nursery.start(adapter.run_stream, outlet)
        simulator.trade(count=60)
        true = true_fills(simulator)
        with trio.fail_after(10):
            await outlet.wait_until(lambda: fills_told(outlet.told).keys() >= true.keys())
        simulator.cut()


async def test_wrong_secret_is_refused_in_words() -> None:
    """A wrong secret is `LoginRefused`, with what to check."""
    async with open_simulator(SIMULATOR, scenario=Scenario(rate=0)) as simulator:
        adapter = adapter_at(simulator, "hmac-sha256", "v2", secret="0" * 32)

        with pytest.raises(LoginRefused, match="10007: wrong signature"):
            await adapter.run_stream(MemoryOutlet())

        await adapter.aclose()


async def test_probe_finds_everything_fine_and_creates_no_key() -> None:
    """`gateway check --connect` sees clock, socket and credentials."""
    async with open_simulator(SIMULATOR, scenario=Scenario(rate=0)) as simulator:
        adapter = adapter_at(simulator, "hmac-sha256", "v2")

        findings = await adapter.probe()

        assert [(each.what, each.ok) for each in findings] == [
            ("clock", True),
            ("websocket", True),
            ("credentials", True),
        ]
        assert adapter.key_expires_ns() is None
        await adapter.aclose()
