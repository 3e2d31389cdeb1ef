from adapters.fmex.venue_clock import VenueClock
from gateway.telemetry.metrics import Cell


class Noon:
    """A clock that stands."""

    def now_ns(self) -> int:
        """A thousand seconds after the epoch."""
        return 1_000_000_000_000


def make_clock() -> tuple[VenueClock, Cell]:
    """A clock that knows nothing, and its gauge."""
    gauge = Cell()
    return VenueClock(Noon(), gauge), gauge


def test_nothing_learned():
    """Until the venue tells its time, ours stands."""
    clock, _ = make_clock()

    assert (clock.offset_seconds, clock.now_ms()) == (None, 1_000_000)


def test_time_between_question_and_answer():
    """The venue's time is taken as of the middle between asking and hearing."""
    clock, gauge = make_clock()
    clock.learn(1_060_000, 999_900, 1_000_100)

    assert (clock.offset_seconds, clock.now_ms(), gauge.value) == (60.0, 1_060_000, 60.0)
    assert clock.to_venue_ms(1_000_001_000_000) == 1_060_001


def test_answer_to_a_ping():
    """`ts` minus `gap` is the time that we sent."""
    clock, _ = make_clock()
    clock.learn_from_answer(1_060_000, 60_100, 1_000_100_000_000)

    assert clock.offset_seconds == 60.0


def test_answer_that_took_too_long_says_nothing():
    """Neither a late answer nor one from before its question moves the clock."""
    clock, _ = make_clock()
    clock.learn(1_060_000, 980_000, 1_000_000)
    clock.learn(1_060_000, 1_000_000, 980_000)
    clock.learn_from_answer(None, 3, 1)
    clock.learn_from_answer(3, None, 1)

    assert clock.offset_seconds is None


def test_greeting_counts_only_where_nothing_is_known():
    """`hello` is late by the way here: better than nothing, worse than an exchange."""
    clock, _ = make_clock()
    clock.learn_from_greeting(None, 1)
    clock.learn_from_greeting(1_050_000, 1_000_000_000_000)
    clock.learn_from_greeting(1_070_000, 1_000_000_000_000)
    assert clock.offset_seconds == 50.0

    clock.forget()
    assert clock.offset_seconds is None
