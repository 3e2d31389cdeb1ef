"""Control and insight over HTTP."""

import json
from typing import Any

from trio.testing import MockClock

from adapters.lbank.simulator import SIMULATOR as LBANK
from gateway.simulator import QUIET, Simulator, open_simulator
from tests.doubles.simulated import CLOCK, ask, followed_lbank, hear


async def do(simulator: Simulator, step: dict[str, Any]) -> tuple[int, Any]:
    """Perform a step over HTTP."""
    answer = await ask(simulator, "POST", "/_sim/do", body=json.dumps(step).encode())
    return answer.status, answer.json


async def test_the_truth_is_told_over_http(autojump_clock: MockClock):
    """Facts behind a number, with what became of their pushes."""
    async with followed_lbank() as (simulator, stream):
        simulator.trade(0, 3)
        simulator.trade(1, 3)
        await hear(stream)
        told = (await ask(simulator, "GET", "/_sim/truth?account=0")).json
        assert {fact["account"] for fact in told["facts"]} == {0}
        assert {one["fate"] for one in told["deliveries"]} == {"sent"}
        numbers = [fact["number"] for fact in told["facts"]]
        later = (await ask(simulator, "GET", f"/_sim/truth?account=0&after={numbers[0]}")).json
        assert [fact["number"] for fact in later["facts"]] == numbers[1:]


async def test_the_state_is_the_sum_of_the_facts(autojump_clock: MockClock):
    """What `/_sim/state` tells is what the last facts say."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.trade(0, 100)
        state = (await ask(simulator, "GET", "/_sim/state?account=0")).json
        last = {f.key: f.told for f in simulator.truth.of(0) if f.kind == "balance"}
        for balance in state["balances"]:
            if balance["asset"] in last:
                assert last[balance["asset"]] == {
                    **balance,
                    "reason": last[balance["asset"]]["reason"],
                }
        last = {f.key: f.told for f in simulator.truth.of(0) if f.kind == "order"}
        open_now = [told for told in last.values() if not told["final"]]
        assert sorted(map(str, open_now)) == sorted(map(str, state["open_orders"]))


async def test_steps_over_http(autojump_clock: MockClock):
    """A step is performed, healed, or refused with the reason."""
    async with followed_lbank() as (simulator, stream):
        assert await do(simulator, {"do": "silence", "for": "1h"}) == (200, {"done": True})
        simulator.trade(0)
        assert await hear(stream) == []
        await ask(simulator, "POST", "/_sim/heal")
        simulator.trade(0)
        assert await hear(stream)
        assert (await do(simulator, {"do": "dance"}))[0] == 400
        assert (await do(simulator, {"do": "drop", "account": 7}))[0] == 400
        assert (await do(simulator, {"do": "switch", "name": "no", "value": 1}))[0] == 400
        assert (await ask(simulator, "POST", "/_sim/do", body=b"{")).status == 400


async def test_paths_are_listed(autojump_clock: MockClock):
    """The root lists what there is; a wrong path does too."""
    async with followed_lbank() as (simulator, _):
        assert "POST /_sim/do" in (await ask(simulator, "GET", "/_sim")).json
        wrong = await ask(simulator, "GET", "/_sim/nothing")
        assert (wrong.status, "paths" in wrong.json) == (404, True)
        assert (await ask(simulator, "GET", "/_sim/state?account=x")).status == 400
        connections = (await ask(simulator, "GET", "/_sim/connections")).json
        assert connections == [{"connection": 1, "account": 0}]
