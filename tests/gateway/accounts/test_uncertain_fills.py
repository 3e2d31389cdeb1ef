"""Fills of which nobody can tell whether they happened in a gap."""

import pytest
import trio
from trio.testing import MockClock

from gateway.contracts.told import Mark
from gateway.errors import ConnectionLost
from gateway.events.numbers import PlainDecimal
from tests.doubles import reports
from tests.doubles.reports import order
from tests.doubles.venue import ScriptedVenue, configured
from tests.gateway.accounts.conftest import Household


@pytest.mark.parametrize(("baseline", "complete"), [(None, False), (Mark(PlainDecimal("4")), True)])
async def test_fills_of_an_unknown_older_order(
    household: Household, autojump_clock: MockClock, baseline: Mark | None, complete: bool
):
    """An order from before the gap, never seen and partly filled: the gap is not complete.

    Unless the adapter found by the executions how much of it is older.
    """
    venue = ScriptedVenue()
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await trio.sleep(40)
        venue.told_by_rest = [
            order("older", status="partially_filled", filled="6", time=60_000_000,
                  created_time=reports.at(-3_600_000), baseline=baseline),
        ]  # fmt: skip
        session.fail(ConnectionLost("cut"))
        await trio.sleep(5)

    (closed,) = [each for each in household.streams() if each.status == "gap_closed"]
    assert complete is closed.complete
    assert complete is (closed.detail is None)
    assert complete is ("fill recovery" in household.kinds())
    assert complete or "cannot be told apart: older" in str(closed.detail)
