"""Pushes that were lost in silence before a gap: its reading finds them, and says so."""

import trio
from trio.testing import MockClock

from gateway.accounts import roster as roster_module
from gateway.errors import ConnectionLost
from tests.doubles.reports import order
from tests.doubles.venue import ScriptedVenue, configured
from tests.gateway.accounts.conftest import Household


async def test_a_gap_reaches_back_to_the_last_agreement(
    household: Household, autojump_clock: MockClock
):
    """What a live socket kept from us is read with the next gap, which is dated back."""
    venue = ScriptedVenue()
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await session.push(order(status="new"))
        agreed = household.streams()[0]
        await trio.sleep(40)
        session.outlet.alive()
        await trio.sleep(1)
        venue.told_by_rest = [order(status="filled", filled="10", time=10_000)]
        session.fail(ConnectionLost("cut"))
        await trio.sleep(5)

    assert household.said()[1:5] == [
        "gap_opened connection_lost",
        "live subscribed",
        "gap_opened check_disagreed",
        "gap_closed recovered",
    ]
    assert agreed.status == "live"
    lost, restated, closed = (household.streams()[number] for number in (1, 3, 4))
    assert restated.since == closed.since
    assert restated.since is not None
    assert lost.since is not None
    assert restated.since < lost.since
    assert (closed.complete, closed.recovered) == (True, 2)


async def test_the_last_agreement_survives_a_restart(
    household: Household, autojump_clock: MockClock
):
    """What was lost in silence before a stop is found after it."""
    venue = ScriptedVenue()
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await session.push(order(status="new"))
        await trio.sleep(40)
        session.outlet.alive()
    later = ScriptedVenue()
    later.told_by_rest = [order(status="filled", filled="10", time=10_000)]
    async with household.running(configured(later)):
        await trio.sleep(5)

    assert later.plans[0].since_ns is not None
    assert later.plans[0].since_ns < household.clock.now_ns() - 40 * 10**9
    assert "fill recovery" in household.kinds()


async def test_a_pause_of_the_process_is_a_gap(household: Household, autojump_clock: MockClock):
    """After SIGSTOP or suspend: a gap since before the pause, and new connections."""
    venue = ScriptedVenue()
    async with household.running(configured(venue)) as roster:
        await venue.wait_live(1)
        await trio.sleep(100)
        began_ns = household.clock.now_ns() - 60 * 10**9
        roster._after_pause(60.0)
        await venue.wait_live(2)
        await trio.sleep(5)

        assert roster_module.PAUSE_SECONDS < 60
        opened = household.streams()[1]
        assert (opened.status, opened.reason) == ("gap_opened", "process_paused")
        assert venue.plans[-1].since_ns is not None
        assert venue.plans[-1].since_ns <= began_ns
        assert household.said()[-1] == "gap_closed recovered"
        assert len(venue.live) == 1
