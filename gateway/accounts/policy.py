"""What becomes of an account when its stream ends: exception → state → action.

One table, tested as a table. The supervisor asks; nobody else decides.
"""

from enum import StrEnum
from typing import Final

import msgspec

from gateway.accounts.status import AccountState
from gateway.errors import (
    ClockSkewed,
    ConnectFailed,
    ConnectionLost,
    HeartbeatMissed,
    KeyExpired,
    LoginRefused,
    RateLimited,
    StreamError,
    SubscriptionRefused,
    VenueUnavailable,
)
from gateway.events.model import StreamReason
from gateway.wire.backoff import Backoff

RETRY_INITIAL_SECONDS: Final = 0.5
RETRY_MAX_SECONDS: Final = 30.0
STABLE_SECONDS: Final = 60.0
"""A stream that lived this long starts the back-off afresh."""

SUSPENSION_SECONDS: Final = (300.0, 900.0, 3_600.0, 10_800.0, 21_600.0)
"""The ladder of a refused login: 5 min to 6 h. A venue that bans addresses is not hammered."""


class Remedy(StrEnum):
    """What the supervisor does next."""

    BACK_OFF = "back_off"
    """Wait with exponential back-off (the first time not at all), then reconnect."""
    WAIT_AS_TOLD = "wait_as_told"
    """Wait for as long as the venue asked, and back off if that is not enough."""
    RENEW = "renew"
    """Drop the key or relearn the clock, then reconnect at once; back off if that repeats."""
    SUSPEND = "suspend"
    """Climb the ladder until a person acts."""


class Row(msgspec.Struct, frozen=True):
    """One row of the table."""

    state: AccountState
    remedy: Remedy


_BACK_OFF = Row(AccountState.BACKING_OFF, Remedy.BACK_OFF)
_RENEW = Row(AccountState.CONNECTING, Remedy.RENEW)

TABLE: Final[dict[type[Exception], Row]] = {
    ConnectFailed: _BACK_OFF,
    ConnectionLost: _BACK_OFF,
    HeartbeatMissed: _BACK_OFF,
    SubscriptionRefused: _BACK_OFF,
    VenueUnavailable: _BACK_OFF,
    RateLimited: Row(AccountState.BACKING_OFF, Remedy.WAIT_AS_TOLD),
    KeyExpired: _RENEW,
    ClockSkewed: _RENEW,
    LoginRefused: Row(AccountState.SUSPENDED, Remedy.SUSPEND),
    # A defect of ours or of an adapter restarts this account; neighbours never notice.
    Exception: _BACK_OFF,
}


def row_for(error: Exception) -> Row:
    """The most specific row of the table."""
    for ancestor in type(error).__mro__:
        if ancestor in TABLE:
            return TABLE[ancestor]
    return _BACK_OFF


def reason_of(error: Exception) -> StreamReason:
    """The word that the gap will carry."""
    return error.reason if isinstance(error, StreamError) else StreamReason.INTERNAL_ERROR


class Next(msgspec.Struct, frozen=True):
    """What to do now."""

    state: AccountState
    remedy: Remedy
    delay_seconds: float


class Policy:
    """The table with a memory: how often in a row, and how long it held before."""

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff(RETRY_INITIAL_SECONDS, RETRY_MAX_SECONDS)
        self._suspensions = 0
        self._renewals = 0

    def after(self, error: Exception, *, lived_seconds: float) -> Next:
        """Decide. `lived_seconds` is how long the stream was live before it ended."""
        if lived_seconds >= STABLE_SECONDS:
            self.reset()
        elif lived_seconds > 0:
            # It was let in, so the credentials and the clock are right again.
            self._suspensions = 0
        row = row_for(error)
        return Next(row.state, row.remedy, self._delay(row.remedy, error))

    def reset(self) -> None:
        """Forget the past: the stream was stable, or a person acted."""
        self._backoff.reset()
        self._suspensions = self._renewals = 0

    def _delay(self, remedy: Remedy, error: Exception) -> float:
        if remedy is Remedy.SUSPEND:
            step = min(self._suspensions, len(SUSPENSION_SECONDS) - 1)
            self._suspensions += 1
            return SUSPENSION_SECONDS[step]
        if remedy is Remedy.RENEW:
            self._renewals += 1
            return 0.0 if self._renewals == 1 else self._backoff.next_delay()
        delay = self._backoff.next_delay()
        if isinstance(error, RateLimited) and error.retry_after_seconds is not None:
            # Whoever says "0 seconds" again and again is not asked in a tight loop.
            delay = max(delay, error.retry_after_seconds)
        return delay
