"""Noticing that this process itself did not run: a suspended machine, SIGSTOP.

After such a pause every socket and stream key is in doubt, though nothing has
failed yet. Trio's clock stands still while the machine sleeps, so it cannot tell;
CLOCK_BOOTTIME goes on.
"""

import time
from collections.abc import Callable
from typing import Final, NoReturn

import trio

_TICK_SECONDS: Final = 1.0


def boot_seconds() -> float:
    """Seconds since the machine started, the time it slept included."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux only
    return time.clock_gettime(clock)


class PauseDetector:
    """Tells when the process did not run for longer than `longest_seconds`.

    One for the whole process: a timer per account would cost more than it tells.
    """

    def __init__(self, longest_seconds: float, elapsed: Callable[[], float] = boot_seconds) -> None:
        if longest_seconds <= 0:
            raise ValueError("longest_seconds must be > 0")
        self._longest_seconds = longest_seconds
        self._elapsed = elapsed

    async def run(self, paused: Callable[[float], None]) -> NoReturn:
        """Call `paused` with the length of each pause, in seconds, right after it ends."""
        before = self._elapsed()
        while True:
            await trio.sleep(_TICK_SECONDS)
            now = self._elapsed()
            if now - before - _TICK_SECONDS > self._longest_seconds:
                paused(now - before)
            before = now
