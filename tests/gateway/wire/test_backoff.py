"""How long to wait between attempts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.backoff import Backoff

SECONDS = st.floats(min_value=1e-3, max_value=1e4)


@given(initial=SECONDS, longest=SECONDS, seed=st.integers(), attempts=st.integers(1, 2_000))
def test_every_delay_is_within_its_bound(initial: float, longest: float, seed: int, attempts: int):
    """The first is 0; the n-th lies between 0 and initial·2^(n-2), and under the cap."""
    initial, longest = sorted((initial, longest))
    backoff = Backoff(initial, longest, random.Random(seed))
    delays = [backoff.next_delay() for _ in range(attempts)]
    assert delays[0] == 0
    assert backoff.attempts == attempts
    for n, delay in enumerate(delays[1:]):
        assert 0 <= delay <= min(longest, initial * 2.0 ** min(n, 100))


def test_delays_reach_the_cap_and_spread_below_it():
    """After many attempts delays fill the whole span from 0 to the cap."""
    backoff = Backoff(0.5, 30, random.Random(1))
    late = [backoff.next_delay() for _ in range(1_000)][10:]
    assert min(late) < 1
    assert max(late) > 29
    assert 13 < sum(late) / len(late) < 17


def test_reset_starts_anew():
    """After a reset the next attempt is at once again."""
    backoff = Backoff(1, 60)
    for _ in range(9):
        backoff.next_delay()
    backoff.reset()
    assert backoff.attempts == 0
    assert backoff.next_delay() == 0
    assert backoff.next_delay() <= 1


@pytest.mark.parametrize(("initial", "longest"), [(0, 1), (-1, 1), (2, 1)])
def test_senseless_bounds_are_refused(initial: float, longest: float):
    """A back-off that could not grow is a mistake of the caller."""
    with pytest.raises(ValueError, match="initial_seconds"):
        Backoff(initial, longest)
