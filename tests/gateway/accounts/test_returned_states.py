"""A state told once more, after another of its millisecond: a late double, or a return to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from gateway.accounts.recovery import DOUBT_AGAIN_SECONDS
from gateway.contracts.told import Told
from gateway.events.model import Balance, Position
from tests.doubles.reports import balance, position
from tests.doubles.venue import ScriptedSession, ScriptedVenue, configured
from tests.gateway.accounts.conftest import Household

MINUTE = 60
Make = Callable[..., Told]


async def push_there_and_back(session: ScriptedSession, make: Make, *, time: int = 5) -> None:
    """2, then 1, then 2 again, all of one millisecond."""
    for value in "212":
        await session.push(make(value, time=time))


@asynccontextmanager
async def running_a_while(
    household: Household,
) -> AsyncIterator[tuple[ScriptedVenue, ScriptedSession]]:
    """One account whose first snapshot is read."""
    venue = ScriptedVenue()
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await trio.sleep(1)
        yield venue, session


def values(household: Household) -> list[str]:
    """What the consumer was told, in order."""
    return [
        body.total if isinstance(body, Balance) else body.quantity
        for body in (event.body for event in household.events())
        if isinstance(body, Balance | Position)
    ]


@pytest.mark.parametrize("make", [balance, position])
async def test_a_return_within_a_millisecond_is_told_soon_and_is_no_gap(
    make: Make, household: Household, autojump_clock: MockClock
):
    """REST is asked within seconds, and tells that the account came back; no push is missing."""
    async with running_a_while(household) as (venue, session):
        await push_there_and_back(session, make)
        venue.told_by_rest = [make("2", time=None)]
        await trio.sleep(10)

        assert ["2", "1", "2"] == values(household)
        assert ["live subscribed"] == household.said()
        assert ["snapshot", "check"] == [plan.purpose for plan in venue.plans]


async def test_a_late_double_costs_one_comparison(household: Household, autojump_clock: MockClock):
    """Where REST shows that nothing came back, nothing is told, and REST is left alone."""
    async with running_a_while(household) as (venue, session):
        await push_there_and_back(session, balance)
        venue.told_by_rest = [balance("1", time=None)]
        await trio.sleep(10 * MINUTE)

        assert ["2", "1"] == values(household)
        assert ["live subscribed"] == household.said()
        assert ["snapshot", "check"] == [plan.purpose for plan in venue.plans]


async def test_a_push_that_settles_a_doubt_spares_rest(
    household: Household, autojump_clock: MockClock
):
    """A newer state ends the doubt, and so does the repeat of the newest one."""
    async with running_a_while(household) as (venue, session):
        await push_there_and_back(session, balance, time=5)
        await session.push(balance("1", time=5))
        await trio.sleep(MINUTE)
        await push_there_and_back(session, balance, time=6)
        await session.push(balance("7", time=7))
        await trio.sleep(MINUTE)

        assert ["snapshot"] == [plan.purpose for plan in venue.plans]


async def test_a_venue_that_repeats_all_the_time_does_not_make_us_hammer_rest(
    household: Household, autojump_clock: MockClock
):
    """However many doubts there are, they ask REST no more than a few times a minute."""
    venue = ScriptedVenue()
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        venue.told_by_rest = [balance("1", time=None)]
        for number in range(10 * MINUTE):
            await push_there_and_back(session, balance, time=5 + number)
            await trio.sleep(1)

        checks = [plan for plan in venue.plans if plan.purpose == "check"]
        assert 10 <= len(checks) <= 10 * MINUTE / DOUBT_AGAIN_SECONDS + 1


async def test_doubts_do_not_put_off_the_regular_comparison(
    household: Household, autojump_clock: MockClock
):
    """What comes up between two comparisons leaves the next one's time alone."""
    venue = ScriptedVenue()
    venue.check_every = 30.0
    async with household.running(configured(venue)) as roster:
        await venue.wait_live(1)
        account = roster.account("a")
        assert account is not None
        for _ in range(10):
            await trio.sleep(10)
            account.wake_recovery()

        assert 3 == len([plan for plan in venue.plans if plan.purpose == "check"])


async def test_another_difference_beside_a_return_is_a_gap(
    household: Household, autojump_clock: MockClock
):
    """A return explains its own asset only: what else differs was lost."""
    async with running_a_while(household) as (venue, session):
        await push_there_and_back(session, balance)
        venue.told_by_rest = [balance("2", time=None), position("9", time=None)]
        await trio.sleep(20)

        assert "gap_opened check_disagreed" in household.said()
