"""The scenario files of docs/scenarios: each is played, and each of its faults strikes."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import trio
from trio.testing import MockClock
from trio_websocket import WebSocketConnection

from adapters.fmex.simulator import SIMULATOR as FMEX
from adapters.lbank.simulator import SIMULATOR as LBANK
from gateway.simulator import Dialect, Scenario, Simulator, load_scenario, open_simulator, steps
from tests.doubles.simulated import CLOCK, FmexClient, LbankClient, ask

FOLDER = Path(__file__).parents[3] / "docs" / "scenarios"
FILES = sorted(FOLDER.glob("*.yaml"))
DIALECTS: dict[str, Dialect] = {"lbank": LBANK, "fmex": FMEX}
CASES = [
    (file, venue)
    for file in FILES
    for venue in DIALECTS
    if load_scenario(file).venue in (None, venue)
]
PATIENCE_SECONDS = 30


def tag(step: type[steps.Step]) -> str:
    """What stands behind `do:`."""
    return str(step.__struct_config__.tag)


async def stay_connected(connect: Callable[[], Awaitable[None]]) -> None:
    """Connect, and connect again a second after whatever ended it."""
    while True:
        try:
            with trio.move_on_after(3600):
                await connect()
        except Exception:  # noqa: BLE001 - whatever a disaster does to a simple client
            pass
        await trio.sleep(1)


async def follow_lbank(simulator: Simulator, account: int) -> None:
    """One connection of a client that answers pings, and refreshes its key every minute."""
    client = LbankClient(simulator, account)
    with trio.fail_after(PATIENCE_SECONDS):
        answer = await client.post("/v2/subscribe/get_key.do")
        key = str(answer.get("data") or answer["subscribeKey"])
    async with client.stream(key) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(refresh_every_minute, client, key)
        stream._max_message_size = 2**20
        while True:
            with trio.fail_after(PATIENCE_SECONDS):
                frame = await stream.get_message()
            if isinstance(frame, str) and '"action":"ping"' in frame:
                pong = {"action": "pong", "pong": json.loads(frame)["ping"]}
                await stream.send_message(json.dumps(pong))


async def refresh_every_minute(client: LbankClient, key: str) -> None:
    """Keep a key alive, and give up on it when that takes too long or is refused."""
    while True:
        await trio.sleep(60)
        with trio.fail_after(PATIENCE_SECONDS):
            answer = await client.post("/v2/subscribe/refresh_key.do", subscribeKey=key)
            assert str(answer["result"]).lower() == "true"


async def follow_fmex(simulator: Simulator, account: int) -> None:
    """One connection of a client that learns the time, subscribes and pings."""
    with trio.fail_after(PATIENCE_SECONDS):
        time = (await ask(simulator, "GET", "/v2/public/server-time")).json["data"]
    client = FmexClient(simulator, account)
    late_ms = CLOCK.now_ns() // 1_000_000 - time
    async with client.connected(late_ms=late_ms) as stream, trio.open_nursery() as nursery:
        stream._max_message_size = 2**20
        nursery.start_soon(ping_often, stream)
        while True:
            with trio.fail_after(PATIENCE_SECONDS):
                await stream.get_message()


async def ping_often(stream: WebSocketConnection) -> None:
    """As the documents recommend."""
    while True:
        await stream.send_message('{"cmd":"ping","args":[1]}')
        await trio.sleep(15)


def gentler(scenario: Scenario) -> Scenario:
    """The same disaster with less noise."""
    timeline = tuple(
        steps.Blast(at=step.at, frames=2_000) if isinstance(step, steps.Blast) else step
        for step in scenario.timeline
    )
    return msgspec.structs.replace(scenario, rate=min(scenario.rate, 1), timeline=timeline)


def span_of(scenario: Scenario) -> float:
    """Until the last step has begun, and a little."""
    return max(step.at for step in scenario.timeline) + 70


@pytest.mark.parametrize(("file", "venue"), CASES, ids=lambda case: getattr(case, "stem", case))
async def test_a_scenario_plays(autojump_clock: MockClock, file: Path, venue: str):
    """A simple client lives through it, and every fault of the timeline met something."""
    scenario = gentler(load_scenario(file))
    follow = follow_lbank if venue == "lbank" else follow_fmex
    async with open_simulator(DIALECTS[venue], scenario=scenario, clock=CLOCK) as simulator:
        async with trio.open_nursery() as nursery:
            for account in range(scenario.accounts):
                nursery.start_soon(stay_connected, lambda a=account: follow(simulator, a))
            await trio.sleep(span_of(scenario))
            nursery.cancel_scope.cancel()
        struck = {word for word, times in simulator.faults.struck.items() if times}
    assert {tag(type(step)) for step in scenario.timeline} <= struck


def test_every_step_is_explained():
    """The table in the README has a row for each step, with each of its options."""
    rows = {
        line.split("|")[1].split("`")[1]: line
        for line in (FOLDER / "README.md").read_text().splitlines()
        if line.startswith("| `")
    }
    common = {"at", "every", "account", "lasting"}
    for step in get_args(steps.AnyStep):
        row = rows[tag(step)]
        options = {field.name for field in msgspec.structs.fields(step)} - common
        assert all(f"`{option}`" in row for option in options), tag(step)
        assert ("⏲" in row) is issubclass(step, steps.Lasting), tag(step)
    for field in msgspec.structs.fields(Scenario):
        assert field.name in rows


def test_scenarios_use_every_step_but_commands():
    """The shipped files show each fault at least once."""
    used = {type(step) for file in FILES for step in load_scenario(file).timeline}
    commands = {steps.Switch, steps.Rate, steps.Trade}
    assert set(get_args(steps.AnyStep)) - commands == used
