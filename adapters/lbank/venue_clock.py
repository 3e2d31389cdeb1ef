"""LBank's clock, as far as its answers let us know it.

Signed requests carry a time that may be 5 s old at most, so a machine whose clock
is off signs with LBank's time, not with its own.
"""

from gateway.clock import Clock

_NS_PER_MS = 1_000_000


class VenueClock:
    """Our clock plus the offset learned from answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ns: int | None = None

    @property
    def learned(self) -> bool:
        """True once an answer told the time."""
        return self._offset_ns is not None

    @property
    def offset_seconds(self) -> float | None:
        """LBank's clock minus ours."""
        return None if self._offset_ns is None else self._offset_ns / 1e9

    def venue_ns(self) -> int:
        """The time at LBank, as well as it is known."""
        return self.at_venue(self._clock.now_ns())

    def venue_ms(self) -> int:
        """The same in the milliseconds that a signature carries."""
        return self.venue_ns() // _NS_PER_MS

    def at_venue(self, our_ns: int) -> int:
        """An instant of our clock by LBank's."""
        return our_ns + (self._offset_ns or 0)

    def learn(self, venue_ms: int, sent_ns: int, received_ns: int) -> None:
        """Take an answer's time: it was written between sending and receiving.

        Each answer replaces what was known: precision matters less here than
        noticing at once that one of the two clocks was set.
        """
        self._offset_ns = venue_ms * _NS_PER_MS - (sent_ns + received_ns) // 2
