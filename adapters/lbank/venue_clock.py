"""LBank's clock, as far as its answers let us know it.

Signed requests carry a time that may be 5 s old at most, so a machine whose clock
is off signs with LBank's time, not with its own. What LBank told once goes on by
clocks that nobody sets, so that a jump of the machine's wall clock changes nothing.
All accounts at one host share it: of a thousand that start at once, one asks.

The time that other answers carry keeps that exact, and must fit: they answer to
signatures that LBank found to be at most 5 s off. One that does not fit is a mistake,
and would spoil signatures and the bounds of gaps.
"""

from collections.abc import Callable
from typing import Final

import trio

from adapters.lbank.endpoints import CLOCK_TOLERANCE_SECONDS
from gateway.clock import Clock
from gateway.telemetry.happenings import Happening, Level
from gateway.wire.once import OnceForAll

NOT_BELIEVED: Final = Happening(
    "lbank_time_not_believed",
    Level.WARNING,
    "An answer of LBank carried a time that cannot be right: what was known of it is kept.",
)

_NS: Final = 10**9
_NS_PER_MS: Final = 1_000_000
_LONGEST_EXCHANGE_NS: Final = 30 * _NS
"""No request takes longer: more is a wall clock that was set meanwhile."""

Moment = tuple[float, float]
"""A point in time by Trio's clock, which tests can move, and by the machine's,
which also counts the time that the machine slept."""


class VenueClock:
    """LBank's time where it was told, else ours."""

    def __init__(self, clock: Clock, elapsed: Callable[[], float]) -> None:
        self.asking = OnceForAll()
        self._clock = clock
        self._elapsed = elapsed
        self._told: tuple[int, Moment] | None = None
        """A time of LBank, in epoch ns, and when it was that."""
        self._is_doubted = False

    @property
    def learned(self) -> bool:
        """True once LBank told its time."""
        return self._told is not None

    @property
    def offset_seconds(self) -> float | None:
        """LBank's clock minus ours."""
        return None if self._told is None else self._offset_ns() / 1e9

    def venue_ns(self) -> int:
        """The time at LBank, as well as it is known."""
        if self._told is None:
            return self._clock.now_ns()
        told_ns, then = self._told
        passed = max(now - before for now, before in zip(self._now(), then, strict=True))
        return told_ns + int(passed * _NS)

    def venue_ms(self) -> int:
        """The same in the milliseconds that a signature carries."""
        return self.venue_ns() // _NS_PER_MS

    def at_venue(self, our_ns: int) -> int:
        """An instant of our clock by LBank's."""
        return our_ns + self._offset_ns()

    def learn(self, venue_ms: int, sent_ns: int, received_ns: int) -> None:
        """Take the time that LBank was asked for, whatever was known before."""
        self._told = (_arrived_ns(venue_ms, sent_ns, received_ns), self._now())

    def hear(self, venue_ms: int, sent_ns: int, received_ns: int) -> None:
        """Take the time that came with another answer, if it can be right."""
        if self._told is None:
            return
        off = (_arrived_ns(venue_ms, sent_ns, received_ns) - self.venue_ns()) / _NS
        fits = abs(off) <= CLOCK_TOLERANCE_SECONDS + _exchange_ns(sent_ns, received_ns) / _NS
        if fits:
            self.learn(venue_ms, sent_ns, received_ns)
        elif not self._is_doubted:
            NOT_BELIEVED.emit(seconds_off=round(off, 3))
        self._is_doubted = not fits

    def _offset_ns(self) -> int:
        return self.venue_ns() - self._clock.now_ns()

    def _now(self) -> Moment:
        return trio.current_time(), self._elapsed()


def _arrived_ns(venue_ms: int, sent_ns: int, received_ns: int) -> int:
    """LBank's time as its answer came: written half way between sending and receiving."""
    return venue_ms * _NS_PER_MS + _exchange_ns(sent_ns, received_ns) // 2


def _exchange_ns(sent_ns: int, received_ns: int) -> int:
    return min(max(received_ns - sent_ns, 0), _LONGEST_EXCHANGE_NS)
