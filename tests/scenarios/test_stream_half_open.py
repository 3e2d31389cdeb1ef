"""Row 10: the socket stands, and nobody is at the other end."""

from pathlib import Path

import pytest
import trio
import trio.testing

from gateway.contracts.values import Seconds
from gateway.simulator import steps
from tests.scenarios.oracle import time_of
from tests.scenarios.results import Results
from tests.scenarios.virtual import open_virtual_rig

NOTICED_SECONDS = 45.0
"""30 s of silence, and some for the beat before and for whoever looks."""

QUIET = [
    pytest.param(600, "short", id="short"),
    pytest.param(1_800, "CI", marks=pytest.mark.scenarios, id="ci"),
    pytest.param(24 * 3600, "soak", marks=pytest.mark.soak, id="soak"),
]


@pytest.mark.parametrize("venue", ["lbank", "fmex"])
@pytest.mark.parametrize("fault", ["half_open", "silence"])
async def test_half_open_socket_is_noticed(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    venue: str,
    fault: str,
):
    """A socket without anybody behind it is a gap from the last proof of life, and healed."""
    kind = {"half_open": steps.HalfOpen, "silence": steps.Silence}[fault]
    name = f"{venue}-1"
    async with open_virtual_rig(tmp_path, venues=(venue,)) as rig, rig.running():
        await rig.wait_live()
        rig.set_rate(3)
        await trio.sleep(20)
        struck_ns = rig.clock.now_ns()
        rig.do(kind(lasting=Seconds(55)))
        noticed = await rig.wait_until(lambda: rig.reasons(name), NOTICED_SECONDS, "noticed")
        healed = noticed + await rig.wait_live()
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        assert rig.struck(fault) > 0
        assert rig.reasons(name) == ["heartbeat_missed"]
        (closed,) = rig.streams(name, "gap_closed")
        assert closed["complete"]
        assert closed["recovered"] > 0
        # Nothing came after the fault, so nothing proved life.
        assert time_of(closed["since"]).timestamp() <= struck_ns / 1e9 + 0.1
        results.note(
            10, f"{fault.replace('_', '-')}: {venue}", "short", seconds_to_notice=round(noticed, 1),
            seconds_to_heal=round(healed, 1), facts=verdict.facts, lost=0, doubled=0,
        )  # fmt: skip


@pytest.mark.parametrize(("seconds", "form"), QUIET)
@pytest.mark.timeout(1200)
async def test_quiet_account_raises_no_alarm(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    seconds: int,
    form: str,
):
    """An account on which nothing happens is not taken for a dead one."""
    async with open_virtual_rig(tmp_path, check="5m") as rig, rig.running():
        await rig.wait_live()
        met = {name: venue.connections_met for name, venue in rig.venues.items()}
        await trio.sleep(seconds)

        assert met == {name: venue.connections_met for name, venue in rig.venues.items()}
        assert all(status.reconnects == 0 for status in rig.roster.status().values())
        assert all(not rig.reasons(name) for name in rig.accounts)
        results.note(10, "quiet accounts", form, seconds=seconds, false_alarms=0)
