"""How long to wait before the next attempt: at once, then longer and longer.

Full jitter (a random share of the whole delay) rather than a little noise: when a
venue cuts a hundred accounts at once, their retries spread over the whole span.
"""

import random
from typing import Final

_RNG: Final = random.Random()  # noqa: S311  (spreads load, hides nothing)
"""Shared: each has 2.5 KiB of state, and an account has three back-offs."""

_MOST_DOUBLINGS: Final = 62
"""Beyond this a float of seconds is past any cap, and `2**n` only costs time."""


class Backoff:
    """The delays of one thing that is tried again and again."""

    def __init__(
        self, initial_seconds: float, max_seconds: float, rng: random.Random = _RNG
    ) -> None:
        if not 0 < initial_seconds <= max_seconds:
            raise ValueError("a back-off needs 0 < initial_seconds <= max_seconds")
        self._initial = initial_seconds
        self._max = max_seconds
        self._rng = rng
        self.attempts = 0
        """How often a delay was asked for since the last `reset`."""

    def next_delay(self) -> float:
        """Seconds to wait: 0 the first time, then up to `initial`, doubling up to `max`."""
        doublings = min(self.attempts - 1, _MOST_DOUBLINGS)
        self.attempts += 1
        if doublings < 0:
            return 0.0
        return self._rng.uniform(0, min(self._max, self._initial * 2.0**doublings))

    def reset(self) -> None:
        """Start anew: the thing worked for a stable spell."""
        self.attempts = 0
