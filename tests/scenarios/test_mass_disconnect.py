"""Row 19: many cut at once, and venues that ask for patience."""

from pathlib import Path

import pytest
import trio
import trio.testing

from gateway.contracts.values import Seconds
from gateway.simulator import steps
from tests.scenarios.results import Results
from tests.scenarios.virtual import VirtualRig, open_virtual_rig

PER_SECOND = 10
"""`connect_rate`, as it is by default."""

ACCOUNTS = [
    pytest.param(20, "short", id="short"),
    pytest.param(100, "CI", marks=pytest.mark.scenarios, id="ci"),
]


@pytest.mark.parametrize(("accounts", "form"), ACCOUNTS)
@pytest.mark.parametrize("venue", ["lbank", "fmex"])
@pytest.mark.timeout(400)
async def test_accounts_cut_at_once_come_back_spread_out(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    venue: str,
    accounts: int,
    form: str,
):
    """A hundred connections cut in one moment come back ten a second, and lose nothing."""
    async with open_virtual_rig(tmp_path, venues=(venue,), accounts=accounts) as rig, rig.running():
        await rig.wait_live()
        simulator = rig.venues[venue]
        rig.do(steps.Trade())
        await trio.sleep(5)
        before = simulator.connections_met
        cut_at = trio.current_time()
        rig.do(steps.Drop())
        rig.do(steps.Trade(count=3))
        busiest = 0
        while simulator.connections_met < before + accounts:
            met = simulator.connections_met
            await trio.sleep(1)
            busiest = max(busiest, simulator.connections_met - met)
        healed = await rig.wait_live()
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        # The door opens every tenth of a second: eleven turns touch one second.
        assert busiest <= PER_SECOND + 1
        leading = asked_before_connecting(rig, cut_at)
        assert busiest_second(leading) <= PER_SECOND + 1
        if venue == "lbank":
            assert len(leading) >= accounts, "each has a key of its own"
        else:
            assert len(leading) <= 2, "one asks for the time, for all of them"
        assert rig.struck("drop") == accounts
        for name in rig.accounts:
            assert rig.streams(name, "gap_closed")[-1]["complete"]
        results.note(
            19, f"cut at once: {venue}", form, accounts=accounts, most_connects_a_second=busiest,
            most_keys_a_second=busiest_second(leading),
            seconds_to_heal=round(healed), facts=verdict.facts, lost=0, doubled=0,
        )  # fmt: skip


LEADING = {"get_key.do", "refresh_key.do", "timestamp.do", "server-time"}
"""What is asked by REST before a connection is opened."""


def asked_before_connecting(rig: VirtualRig, since: float) -> list[float]:
    """When the accounts asked for what leads up to a connection."""
    return [at for at, _, path in rig.asked if at >= since and path.split("/")[-1] in LEADING]


def busiest_second(times: list[float]) -> int:
    """The most that any second holds, wherever it begins."""
    return max((sum(first <= at < first + 1 for at in times) for first in times), default=0)


MOST_QUESTIONS = {429: 10, 418: 10, 403: 60}
"""In 100 s. Asked to wait 30 s, four attempts fit in, of a question or two each. A ban
tells no time: there full jitter is chance, and 25 questions the mean."""


@pytest.mark.parametrize("venue", ["lbank", "fmex"])
@pytest.mark.parametrize("status", MOST_QUESTIONS)
async def test_limits_and_bans_are_waited_out(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    venue: str,
    status: int,
):
    """A venue that says 'not now' is asked rarely, and the gap is read when it lets us."""
    name = f"{venue}-1"
    async with open_virtual_rig(tmp_path, venues=(venue,)) as rig, rig.running():
        await rig.wait_live()
        rig.set_rate(1)
        await trio.sleep(10)
        rig.do(steps.Status(status=status, retry_after=30, lasting=Seconds(100)))
        rig.do(steps.RefuseConnect(status=status, retry_after=30, lasting=Seconds(100)))
        rig.do(steps.Drop())
        await trio.sleep(100)
        asked = rig.struck("status") + rig.struck("refuse_connect")
        if status == 403:
            # A ban may look like refused credentials; then a person has the say.
            rig.roster.reconnect(name)
        healed = await rig.wait_live()
        await trio.sleep(10)
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        assert 0 < asked <= MOST_QUESTIONS[status]
        assert rig.streams(name, "gap_closed")[-1]["complete"]
        results.note(
            19, f"HTTP {status}: {venue}", "short", asked=asked, seconds=100,
            seconds_to_heal=round(healed, 1), facts=verdict.facts, lost=0, doubled=0,
        )  # fmt: skip
