"""What follows from a sink's answer: go on, or wait for how long.

Pure, apart from the dice of the back-off. A peer that says when to come back is
obeyed; anything else waits by exponential back-off with full jitter, which starts
anew as soon as the sink takes anything.
"""

from enum import StrEnum
from typing import Final

import msgspec

from gateway.contracts.sink import Later
from gateway.wire.backoff import Backoff

LONGEST_PEER_WAIT_SECONDS: Final = 3600.0
"""A `Retry-After` beyond this is taken for a mistake of the peer's: ask again after an hour."""


class Result(StrEnum):
    """How one attempt ended; label of `gateway_sink_attempts`."""

    ACCEPTED = "accepted"
    """Every event was settled, refused ones included."""
    PARTLY = "partly"
    """Some were settled, some have to wait."""
    LATER = "later"
    """The sink cannot take events now."""
    TIMEOUT = "timeout"
    """No answer within `timeout`; the attempt was cut."""
    CRASHED = "crashed"
    """The sink raised what no sink should raise."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why events have to wait."""

    result: Result
    message: str
    """For a person, free of secrets."""
    retry_after_seconds: float | None = None
    """What the peer asked for."""

    @classmethod
    def of(cls, later: Later, result: Result) -> "Trouble":
        """The trouble behind a verdict."""
        return cls(
            result=result, message=later.reason, retry_after_seconds=later.retry_after_seconds
        )


def wait_seconds(trouble: Trouble, backoff: Backoff, *, progress: bool) -> float:
    """How long to wait before the next attempt.

    `progress` says that the attempt settled something, which proves the peer alive.
    """
    if progress:
        backoff.reset()
    delay = backoff.next_delay()
    asked = trouble.retry_after_seconds
    if asked is None:
        return delay
    return max(delay, min(asked, LONGEST_PEER_WAIT_SECONDS))
