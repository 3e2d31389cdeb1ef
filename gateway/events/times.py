"""Instants, as RFC 3339 text in UTC.

Venue times carry milliseconds, our own stamps microseconds; both end in ``Z``.
Texts of the same precision sort as the instants do, so nothing has to be parsed
to be compared.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NewType

Timestamp = NewType("Timestamp", str)
"""RFC 3339, UTC, ``Z``: ``2020-02-04T07:43:24.232Z``."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS: Final = 253_402_300_799_999
"""Last millisecond of the year 9999, the largest instant RFC 3339 can write."""


class TimeError(ValueError):
    """You get this when a number or text is no instant between 1970 and 9999."""


@lru_cache(maxsize=256)
def from_milliseconds(value: int) -> Timestamp:
    """Write epoch milliseconds, the form in which both venues tell time."""
    if not 0 <= value <= _LAST_MS:
        raise TimeError(f"not an epoch time in milliseconds: {str(value)[:40]}")
    seconds, milliseconds = divmod(value, 1000)
    return Timestamp(f"{_second(seconds)}.{milliseconds:03d}Z")


@lru_cache(maxsize=256)
def from_nanoseconds(value: int) -> Timestamp:
    """Write our own clock's epoch nanoseconds with microseconds.

    Frames that were read together share one stamp, so it is mostly known already.
    """
    seconds, microseconds = divmod(value // 1000, 1_000_000)
    return Timestamp(f"{_second(seconds)}.{microseconds:06d}Z")


@lru_cache(maxsize=256)
def _second(seconds: int) -> str:
    """Date and time to the second. Events come in bursts: most share a few seconds."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:-6]


def to_datetime(value: Timestamp) -> datetime:
    """The aware datetime behind a timestamp."""
    return datetime.fromisoformat(value)


def to_milliseconds(value: Timestamp) -> int:
    """Epoch milliseconds of a timestamp; finer digits are cut."""
    return (datetime.fromisoformat(value) - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=1024)
def to_nanoseconds(value: Timestamp) -> int:
    """Epoch nanoseconds of a timestamp, exact to the microsecond."""
    return (datetime.fromisoformat(value) - _EPOCH) // timedelta(microseconds=1) * 1000
