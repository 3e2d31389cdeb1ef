"""The venue's clock: signatures are refused when ours is 30 s off.

The venue tells its time in `server-time`, in `hello` and in each answer to a
ping, so a machine whose clock is wrong still signs correctly. All accounts at one
host share what it told: of a thousand that connect at once, one asks.
"""

from typing import Final

import trio

from gateway.clock import Clock
from gateway.wire.once import OnceForAll

NS_PER_MS: Final = 1_000_000
_LONGEST_EXCHANGE_MS: Final = 10_000
"""Question and answer further apart say little about the time between them."""
_FRESH_SECONDS: Final = 60.0
"""So long the time need not be asked for: somebody's ping is answered in between."""


class VenueClock:
    """Our clock, corrected by what the venue told."""

    def __init__(self, clock: Clock) -> None:
        self.asking = OnceForAll()
        self._clock = clock
        self._offset_ms: float | None = None
        self._learned_at = float("-inf")
        """By Trio's clock."""
        self._is_doubted = False

    @property
    def offset_seconds(self) -> float | None:
        """The venue's clock minus ours, when learned."""
        return None if self._offset_ms is None else self._offset_ms / 1000

    @property
    def is_fresh(self) -> bool:
        """Whether it was learned a moment ago, and nothing speaks against it."""
        learned = self._offset_ms is not None and not self._is_doubted
        return learned and trio.current_time() - self._learned_at < _FRESH_SECONDS

    def our_ms(self) -> int:
        """Our own time, uncorrected: what a ping carries."""
        return self._clock.now_ns() // NS_PER_MS

    def now_ms(self) -> int:
        """The venue's time, for signatures; ours as long as nothing was learned."""
        return self.to_venue_ms(self._clock.now_ns())

    def to_venue_ms(self, our_ns: int) -> int:
        """What the venue's clock showed when ours showed `our_ns`."""
        return our_ns // NS_PER_MS + round(self._offset_ms or 0)

    def learn(self, venue_ms: int, sent_ms: float, received_ms: float) -> None:
        """Take a time that the venue told between `sent_ms` and `received_ms` of ours."""
        if 0 <= received_ms - sent_ms <= _LONGEST_EXCHANGE_MS:
            self._offset_ms = venue_ms - (sent_ms + received_ms) / 2
            self._learned_at = trio.current_time()
            self._is_doubted = False

    def learn_from_answer(self, venue_ms: int | None, gap_ms: int | None, received_ns: int) -> None:
        """Take the answer to a ping: `gap_ms` is the venue's time minus the one we sent."""
        if venue_ms is not None and gap_ms is not None:
            self.learn(venue_ms, venue_ms - gap_ms, received_ns / NS_PER_MS)

    def learn_from_greeting(self, venue_ms: int | None, received_ns: int) -> None:
        """Take the time of a `hello`: late by the way here, so better than nothing only."""
        if venue_ms is not None and (self._offset_ms is None or self._is_doubted):
            received_ms = received_ns / NS_PER_MS
            self.learn(venue_ms, received_ms, received_ms)

    def doubt(self) -> None:
        """A signature by this time was refused: it has to be asked for anew.

        Until that is answered it stands, since other accounts' recoveries go by it.
        """
        self._is_doubted = True

    def forget_doubted(self) -> None:
        """Nobody answers, and what is known was refused: all that is left is our own clock."""
        if self._is_doubted:
            self._offset_ms = None
