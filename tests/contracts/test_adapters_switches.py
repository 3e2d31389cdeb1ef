"""Both adapters under every setting of what their venues' documents leave open.

One switch at a time, then several at once. Each run: live, trade, be cut while the
venue lets nobody in, lose the subscription, lose the key; then the oracle judges.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import msgspec
import pytest
import trio
import trio.testing

from adapters.fmex.simulator.switches import Switches as FmexSwitches
from adapters.lbank.simulator.switches import Switches as LbankSwitches
from gateway.contracts.values import Seconds
from gateway.simulator import steps
from tests.scenarios.virtual import VirtualRig, open_virtual_rig

SWITCHES: Final[dict[str, type[msgspec.Struct]]] = {"lbank": LbankSwitches, "fmex": FmexSwitches}

OTHER_SECONDS: Final = {"key_life": 600, "ping_every": 5, "idle_close": 60}
"""A second setting for each switch that is a duration."""


def settings_of(venue: str) -> dict[str, list[Any]]:
    """Every setting of every switch but its default."""
    found: dict[str, list[Any]] = {}
    for field in msgspec.structs.fields(SWITCHES[venue]):
        if field.type is bool:
            values: list[Any] = [True, False]
        elif get_origin(field.type) is Literal:
            values = list(get_args(field.type))
        else:
            values = [OTHER_SECONDS[field.name]]
        found[field.name] = [value for value in values if value != field.default]
    return found


def one_at_a_time() -> Iterator[Any]:
    """Venue and switches, one of them changed."""
    for venue in SWITCHES:
        for name, values in settings_of(venue).items():
            for value in values:
                yield pytest.param(venue, {name: value}, id=f"{venue}-{name}-{value}")


def several_at_once() -> Iterator[Any]:
    """Venue and switches, each thrown by dice."""
    for seed in range(40):
        rng = random.Random(f"switches {seed}")
        venue = ("lbank", "fmex")[seed % 2]
        switches = {
            name: rng.choice(values)
            for name, values in settings_of(venue).items()
            if rng.random() < 0.5
        }
        if switches.get("broker_positions") is False:
            # Some path for positions a venue must have.
            switches.pop("old_positions", None)
        marks = [pytest.mark.scenarios] if seed >= 4 else []
        yield pytest.param(venue, switches, id=f"{venue}-dice-{seed}", marks=marks)


@pytest.mark.parametrize(("venue", "switches"), [*one_at_a_time(), *several_at_once()])
async def test_adapter_passes_under_every_switch(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    venue: str,
    switches: dict[str, Any],
):
    """However the venue settles what its documents leave open, the account is whole."""
    rigged = open_virtual_rig(tmp_path, venues=(venue,), switches={venue: switches}, check="30s")
    async with rigged as rig:
        if "key_life" in switches:
            life = switches["key_life"]
            rig.patches[f"{venue}-1"] = f"    key: {{life: {life}s, refresh: {life // 2}s}}\n"
        async with rig.running():
            await play(rig, venue)


async def play(rig: VirtualRig, venue: str) -> None:
    """Live, push, cut, dead subscription, dead key, quiet; then the oracle."""
    name, simulator = f"{venue}-1", rig.venues[venue]
    await rig.wait_live()
    rig.set_rate(2)
    await trio.sleep(10)
    rig.do(steps.RefuseConnect(lasting=Seconds(6)))
    rig.do(steps.Drop())
    await trio.sleep(20)
    # The back-off may draw long delays, and only a live stream has a subscription to lose.
    await rig.wait_live()
    rig.do(steps.LoseSubscription())
    await trio.sleep(50)
    if venue == "lbank":
        rig.do(steps.ExpireKey())
        await trio.sleep(50)
        rig.do(steps.VoidKey())
        await trio.sleep(50)
    await rig.wait_quiet()

    rig.judge().assert_kept()
    assert simulator.connections_met >= 3
    assert all(each["complete"] for each in rig.streams(name, "gap_closed")), rig.streams(name)
    # A forgotten subscription is found by REST, or by the silence where pings go unanswered.
    assert "connection_lost" in rig.reasons(name)
    assert {"check_disagreed", "heartbeat_missed"} & set(rig.reasons(name))
