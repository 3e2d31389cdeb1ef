"""Row 18: the venue refuses who we are."""

from pathlib import Path

import pytest
import trio
import trio.testing

from gateway.contracts.values import Seconds
from gateway.simulator import steps
from tests.scenarios.results import Results
from tests.scenarios.virtual import open_virtual_rig

REFUSALS = [
    pytest.param("lbank", 10007, id="lbank-wrong signature"),
    pytest.param("lbank", 10022, id="lbank-wrong address"),
    pytest.param("fmex", 2020, id="fmex-key unknown"),
    pytest.param("fmex", 2111, id="fmex-wrong signature"),
    pytest.param("fmex", 2136, id="fmex-key expired"),
    pytest.param("fmex", 6005, id="fmex-key check failed"),
]
SUSPENDED_SECONDS = 1_000.0
MOST_TRIES = 1 + SUSPENDED_SECONDS / 300


@pytest.mark.parametrize(("venue", "code"), REFUSALS)
async def test_a_refused_login_suspends_that_account_alone(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    request: pytest.FixtureRequest,
    venue: str,
    code: int,
):
    """The account is suspended and rarely tried; its neighbour does not notice; it heals."""
    name, neighbour = f"{venue}-1", f"{venue}-2"
    async with open_virtual_rig(tmp_path, venues=(venue,), accounts=2) as rig, rig.running():
        await rig.wait_live()
        rig.set_rate(1)
        await trio.sleep(10)
        rig.do(steps.RefuseLogin(account=0, code=code))
        rig.do(steps.Drop(account=0))
        noticed = await rig.wait_until(lambda: rig.streams(name, "suspended"), 60, "suspended")
        before = rig.struck("refuse_login")
        rig.set_rate(0.05)
        await trio.sleep(SUSPENDED_SECONDS)
        tries = rig.struck("refuse_login") - before
        rig.venues[venue].heal()
        rig.roster.reconnect(name)
        healed = await rig.wait_live()
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        assert before > 0
        # One try may ask twice: to be refused, and to be told why.
        assert tries <= 2 * MOST_TRIES
        assert len(rig.streams(name, "suspended")) == 1
        assert str(code) in rig.streams(name, "suspended")[0]["detail"]
        assert rig.streams(name, "gap_closed")[-1]["complete"]
        assert rig.streams(neighbour, "gap_opened") == []
        assert rig.roster.status()[neighbour].reconnects == 0
        results.note(
            18, f"login refused: {request.node.callspec.id}", "short", tries=tries,
            seconds=int(SUSPENDED_SECONDS), seconds_to_notice=round(noticed, 1),
            seconds_to_heal=round(healed, 1), facts=verdict.facts, lost=0, doubled=0,
        )  # fmt: skip


@pytest.mark.parametrize("by", [-120.0, 120.0])
@pytest.mark.parametrize("venue", ["lbank", "fmex"])
async def test_a_wrong_clock_is_corrected(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    venue: str,
    by: float,
):
    """When the clocks part, signatures follow the venue's; nobody has to act."""
    name = f"{venue}-1"
    async with open_virtual_rig(tmp_path, venues=(venue,)) as rig, rig.running():
        await rig.wait_live()
        await trio.sleep(10)
        rig.do(steps.ClockSkew(by=Seconds(by)))
        rig.do(steps.Drop())
        await rig.wait_until(lambda: rig.streams(name, "gap_opened"), 10, "noticed")
        healed = await rig.wait_live(120)

        assert rig.streams(name, "suspended") == []
        assert rig.streams(name, "gap_closed")[-1]["complete"]
        account = rig.roster.account(name)
        assert account is not None
        offset = account.adapter.clock_offset_seconds()
        assert offset is not None
        assert abs(offset - by) < 5
        results.note(18, f"clock off by {by:g} s: {venue}", "short", seconds=round(healed, 1))
