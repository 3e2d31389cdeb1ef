"""Two readings of the documents agree: what an adapter tells is what truly happened.

Adapter and simulator were written apart and share no code. Every switch of every
venue is set both ways; each time the stream's pushes are compared with the truth
field by field, and a recovery has to find every fill and order and invent none.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import trio

from gateway import registry
from gateway.clock import WALL_CLOCK
from gateway.config import load_config
from gateway.contracts.adapter import Adapter, AdapterContext, Known, Purpose
from gateway.contracts.told import Told, ToldBalance, ToldFill, ToldOrder, ToldPosition
from gateway.simulator import FactKind, Scenario, Simulator, load_dialect, open_simulator
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import Redactor
from gateway.wire.commons import HostCommons
from gateway.wire.limits import HostGate, RequestLimits

PATIENCE_SECONDS = 60
MOVES = 60
PUSHED = (
    (FactKind.ORDER, ToldOrder, "order"),
    (FactKind.BALANCE, ToldBalance, "balance"),
    (FactKind.POSITION, ToldPosition, "position"),
)


class Recorder:
    """An outlet and finds in one: keeps what it hears."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self._more = trio.Event()

    async def hear(self, told: Sequence[Told], *_times: int) -> None:
        """Keep reports."""
        self.told += told
        self._more.set()

    async def wait_for(self, count: int) -> None:
        """Until so many were heard."""
        while len(self.told) < count:
            self._more = trio.Event()
            await self._more.wait()

    def frames_read(self, count: int, received_ns: int) -> None:
        """Nobody asks."""

    def alive(self) -> None:
        """Nobody asks."""

    async def key_renewed(self, **_: Any) -> None:
        """Nobody asks."""

    def of(self, kind: type) -> list[Any]:
        """The reports of one kind."""
        return [told for told in self.told if isinstance(told, kind)]


def cases(venue: str) -> Iterator[dict[str, Any]]:
    """Every value of every switch, one at a time."""
    yield {}
    for field in msgspec.structs.fields(load_dialect(registry.find_venue(venue)).switches):
        values = (not field.default,) if field.type is bool else get_args(field.type)
        yield from ({field.name: value} for value in values if value != field.default)


def open_adapter(simulator: Simulator, folder: Path, number: int) -> Adapter:
    """The adapter of the first account, configured by what the simulator prints."""
    path = folder / f"{number}.yaml"
    path.write_text(
        f"accounts:\n{simulator.configuration('main')}sinks: {{c: {{type: console}}}}\n"
    )
    account = load_config(path).accounts["main"]
    context = AdapterContext(
        account="main",
        options=account.options,
        clock=WALL_CLOCK,
        metrics=Metrics(),
        redactor=Redactor(),
        connect_gate=HostGate(),
        request_gate=RequestLimits(),
        commons=HostCommons(),
    )
    return account.spec.open(account.settings, context)


def agree(ours: Any, true: Any) -> bool:
    """Equal as numbers or as words; what a venue does not tell is no disagreement."""
    if ours is None or isinstance(ours, bool):
        return ours is None or ours == true
    try:
        return Decimal(str(ours)) == Decimal(str(true))
    except InvalidOperation:
        return str(ours) == str(true)


def is_exempt(mine: Any, key: str) -> bool:
    """What cannot be compared, because LBank itself says two things.

    A cancel after a partial fill is -1 on the socket and 3 in REST; and the push of
    2019 tells a market order's price without telling that it is a market order.
    """
    return key == "venue_status" or (key == "price" and mine.type is None)


def disagreements(simulator: Simulator, heard: Recorder) -> list[str]:
    """Where pushes, as the adapter understood them, differ from what was pushed."""
    facts = {fact.number: fact for fact in simulator.truth.facts}
    pushed = [facts[number] for one in simulator.truth.deliveries for number in one.facts]
    found = []
    for kind, report, name in PUSHED:
        true = [fact.told for fact in pushed if fact.kind is kind]
        ours = [getattr(told, name) for told in heard.of(report)]
        if len(ours) != len(true):
            found.append(f"{len(true)} {kind} pushed, {len(ours)} understood")
        for mine, other in zip(ours, true, strict=False):
            found += [
                f"{kind}.{key}: {getattr(mine, key)!r}, truly {value!r}"
                for key, value in other.items()
                if hasattr(mine, key) and not is_exempt(mine, key)
                if not agree(getattr(mine, key), value)
            ]
    return found


def oversights(simulator: Simulator, finds: Recorder) -> list[str]:
    """Where a recovery missed or invented something."""
    true = Counter(
        (str(f.told["order_id"]), Decimal(str(f.told["quantity"])), Decimal(str(f.told["price"])))
        for f in simulator.truth.of(0, FactKind.FILL)
    )
    ours = Counter(
        (told.fill.order_id, Decimal(told.fill.quantity), Decimal(told.fill.price))
        for told in finds.of(ToldFill)
    )
    last = {told.order.order_id: told.order for told in finds.of(ToldOrder)}
    # A venue may leave waiting stops out of its open orders: then nothing can find them.
    hidden = simulator.scenario.switches.get("stops_in_open", True) is False
    orders = {
        name: fact
        for name, fact in simulator.truth.last(0, FactKind.ORDER).items()
        if not (hidden and fact.told["status"] == "pending_trigger")
    }
    found = [f"{(true - ours).total()} fills missed"] if true - ours else []
    found += [f"{(ours - true).total()} fills invented"] if ours - true else []
    unequal = orders.keys() ^ last.keys()
    found += [f"orders told by one alone: {unequal}"] if unequal else []
    return found + [
        f"order {name} is {last[name].status}, truly {fact.told['status']}"
        for name, fact in orders.items()
        if name in last and last[name].status != fact.told["status"]
    ]


async def witness(venue: str, switches: dict[str, Any], folder: Path, number: int) -> list[str]:
    """Follow, trade, recover, compare."""
    dialect = load_dialect(registry.find_venue(venue))
    scenario = Scenario(rate=0, seed=number, switches=switches)
    heard, finds = Recorder(), Recorder()
    async with open_simulator(dialect, scenario=scenario) as simulator:
        adapter = open_adapter(simulator, folder, number)
        async with trio.open_nursery() as nursery:
            with trio.fail_after(PATIENCE_SECONDS):
                await nursery.start(adapter.run_stream, heard)
                since = WALL_CLOCK.now_ns() - 60 * 10**9
                simulator.trade(0, MOVES)
                await heard.wait_for(len(simulator.truth.deliveries))
                plan = adapter.plan_recovery(Known(open_orders={}), Purpose.GAP, since)
                result = await adapter.recover(plan, finds)
            nursery.cancel_scope.cancel()
        await adapter.aclose()
        incomplete = [] if result.complete else [f"incomplete: {result.detail}"]
        return disagreements(simulator, heard) + oversights(simulator, finds) + incomplete


@pytest.mark.parametrize("venue", ["lbank", "fmex"])
async def test_adapter_and_simulator_agree(venue: str, tmp_path: Path):
    """Under every setting of every switch: no difference, nothing missed, nothing invented."""
    found: dict[str, list[str]] = {}

    async def examine(number: int, switches: dict[str, Any]) -> None:
        found[str(switches)] = (await witness(venue, switches, tmp_path, number))[:3]

    async with trio.open_nursery() as nursery:
        for number, switches in enumerate(cases(venue)):
            nursery.start_soon(examine, number, switches)
    assert len(found) > 10
    assert {setting: told for setting, told in found.items() if told} == {}
