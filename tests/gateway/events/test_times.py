"""Instants as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events.times import (
    TimeError,
    from_milliseconds,
    from_nanoseconds,
    to_milliseconds,
    to_nanoseconds,
)


def test_venue_time_has_milliseconds():
    """Epoch milliseconds are written in UTC with three digits and Z."""
    assert from_milliseconds(1580802204232) == "2020-02-04T07:43:24.232Z"


def test_our_stamps_have_microseconds():
    """Epoch nanoseconds are cut to microseconds."""
    assert from_nanoseconds(1580802204232123999) == "2020-02-04T07:43:24.232123Z"


@given(st.integers(0, 253_402_300_799_999), st.integers(0, 253_402_300_799_999))
def test_text_sorts_as_the_instants_do(left: int, right: int):
    """Timestamps of one precision compare like the numbers behind them, and read back."""
    a, b = from_milliseconds(left), from_milliseconds(right)

    assert (a < b) == (left < right)
    assert to_milliseconds(a) == left
    assert to_nanoseconds(from_nanoseconds(left * 1000)) == left * 1000


@pytest.mark.parametrize("value", [-1, 253_402_300_800_000, 10**30])
def test_impossible_instants_are_refused(value: int):
    """What RFC 3339 cannot write raises TimeError."""
    with pytest.raises(TimeError):
        from_milliseconds(value)
