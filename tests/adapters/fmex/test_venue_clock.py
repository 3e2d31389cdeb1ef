import pytest
import trio
from trio.testing import MockClock

from adapters.fmex.venue_clock import VenueClock


class Noon:
    """A clock that stands."""

    def now_ns(self) -> int:
        """A thousand seconds after the epoch."""
        return 1_000_000_000_000


@pytest.fixture
def clock() -> VenueClock:
    """It knows nothing yet."""
    return VenueClock(Noon())


async def test_nothing_learned(clock: VenueClock):
    """Until the venue tells its time, ours stands."""
    assert (clock.offset_seconds, clock.now_ms()) == (None, 1_000_000)


async def test_time_between_question_and_answer(clock: VenueClock):
    """The venue's time is taken as of the middle between asking and hearing."""
    clock.learn(1_060_000, 999_900, 1_000_100)

    assert (clock.offset_seconds, clock.now_ms()) == (60.0, 1_060_000)
    assert clock.to_venue_ms(1_000_001_000_000) == 1_060_001


async def test_answer_to_a_ping(clock: VenueClock):
    """`ts` minus `gap` is the time that we sent."""
    clock.learn_from_answer(1_060_000, 60_100, 1_000_100_000_000)

    assert clock.offset_seconds == 60.0


async def test_answer_that_took_too_long_says_nothing(clock: VenueClock):
    """Neither a late answer nor one from before its question moves the clock."""
    clock.learn(1_060_000, 980_000, 1_000_000)
    clock.learn(1_060_000, 1_000_000, 980_000)
    clock.learn_from_answer(None, 3, 1)
    clock.learn_from_answer(3, None, 1)

    assert clock.offset_seconds is None


async def test_greeting_counts_only_where_nothing_is_known(clock: VenueClock):
    """`hello` is late by the way here: better than nothing, worse than an exchange."""
    clock.learn_from_greeting(None, 1)
    clock.learn_from_greeting(1_050_000, 1_000_000_000_000)
    clock.learn_from_greeting(1_070_000, 1_000_000_000_000)
    assert clock.offset_seconds == 50.0


async def test_a_time_that_was_refused_stands_until_another_is_known(clock: VenueClock):
    """Other accounts at the host go by it; only where nobody answers ours has to do."""
    clock.forget_doubted()
    clock.learn(1_060_000, 999_900, 1_000_100)
    clock.forget_doubted()
    clock.doubt()
    assert (clock.offset_seconds, clock.is_fresh) == (60.0, False)

    clock.learn_from_greeting(1_050_000, 1_000_000_000_000)
    assert (clock.offset_seconds, clock.is_fresh) == (50.0, True)

    clock.doubt()
    clock.forget_doubted()
    assert clock.offset_seconds is None


async def test_what_was_told_stays_fresh_for_a_minute(clock: VenueClock, mock_clock: MockClock):
    """A connect need not ask for a time that anybody was told lately."""
    assert not clock.is_fresh
    clock.learn(1_060_000, 999_900, 1_000_100)
    assert clock.is_fresh

    mock_clock.jump(59)
    assert clock.is_fresh
    mock_clock.jump(2)
    assert not clock.is_fresh

    clock.learn(1_060_000, 999_900, 1_000_100)
    clock.doubt()
    assert not clock.is_fresh
    await trio.lowlevel.checkpoint()
