"""Durations and sizes: read and written in one notation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.document import Text
from gateway.config.mistakes import Place
from gateway.config.scalars import (
    Misread,
    parse_bytes,
    parse_seconds,
    write_bytes,
    write_seconds,
)
from gateway.contracts.values import Bytes, Seconds


def text(value: str) -> Text:
    """A plain scalar."""
    return Text(value, plain=True, place=Place("test"))


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("250ms", 0.25), ("30s", 30), ("5m", 300), ("12h", 43200), ("14d", 1209600), ("1.5s", 1.5)],
)
def test_durations(written: str, seconds: float) -> None:
    """The notations of the reference."""
    assert Seconds(seconds) == parse_seconds(text(written))


@pytest.mark.parametrize("written", ["", "5", "5 m", "m", "-1s", "1w", "1e3s", "٣s", "1_0s", "5M"])
def test_what_is_no_duration(written: str) -> None:
    """One notation: nothing is guessed."""
    with pytest.raises(Misread):
        parse_seconds(text(written))


@pytest.mark.parametrize("written", ["", "5", "5KB", "5 KiB", "-1B", "1.5GiB", "KiB", "1k"])
def test_what_is_no_size(written: str) -> None:
    """Powers of two and whole numbers only."""
    with pytest.raises(Misread):
        parse_bytes(text(written))


@given(st.integers(0, 10**12))
def test_durations_come_back(milliseconds: int) -> None:
    """What is written is read as the same number of milliseconds."""
    written = write_seconds(milliseconds / 1000)

    assert round(parse_seconds(text(written)) * 1000) == milliseconds


@given(st.integers(0, 10**17))
def test_sizes_come_back(size: int) -> None:
    """What is written is read as the same number of bytes."""
    assert parse_bytes(text(write_bytes(size))) == Bytes(size)
