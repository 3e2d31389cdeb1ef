"""Periodic work, and noticing that the other side went quiet."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NoReturn

import trio

from gateway.errors import HeartbeatMissed

_SLOT_SECONDS: Final = 0.25
"""Heartbeats begin at multiples of this, so that those of many accounts come together:
waking up for one costs as much as sending ten. Twenty-five pings of a thousand accounts
in one slot take some milliseconds."""


def every(seconds: float, *, slot_seconds: float | None = None) -> AsyncIterator[None]:
    """Tick each `seconds` on Trio's clock, the first time after one period.

    With `slot_seconds` the first tick comes up to so much earlier, in step with others.

    ``async for _ in every(30): …``. Ticks do not drift, whatever the body takes; those
    that a slow body missed are left out, not made up for in a burst.
    """
    if seconds <= 0:
        raise ValueError("a period needs seconds > 0")
    now = trio.current_time()
    return _Ticks(seconds, now if slot_seconds is None else now - now % slot_seconds)


class _Ticks:
    """No async generator: a loop that breaks out would leave one to the garbage collector."""

    def __init__(self, seconds: float, start: float) -> None:
        self._seconds = seconds
        self._start = start
        self._tick = 0

    def __aiter__(self) -> AsyncIterator[None]:
        return self

    async def __anext__(self) -> None:
        passed = math.floor((trio.current_time() - self._start) / self._seconds)
        # Counting as well as dividing: a quotient just below a whole number would
        # give the same tick twice.
        self._tick = max(self._tick, passed) + 1
        # As `trio.sleep_until` does, without its frame: thousands of tasks wait here.
        with trio.move_on_at(self._start + self._tick * self._seconds):
            await trio.sleep_forever()


class Liveness:
    """Sends heartbeats, and gives up when nothing proves that the peer lives.

    One task runs `run`; whoever reads the socket calls `seen` at each answer that
    proves life (what proves it is the venue's affair)::

        liveness = Liveness(beat_seconds=10, silence_seconds=25)
        nursery.start_soon(liveness.run, send_ping)
    """

    def __init__(self, *, beat_seconds: float, silence_seconds: float) -> None:
        if not 0 < beat_seconds < silence_seconds:
            raise ValueError("silence_seconds must be longer than beat_seconds")
        self._beat_seconds = beat_seconds
        self._silence_seconds = silence_seconds
        self._scope = trio.CancelScope()

    def seen(self) -> None:
        """Note a proof of life."""
        self._scope.deadline = trio.current_time() + self._silence_seconds

    async def run(self, beat: Callable[[], Awaitable[None]]) -> NoReturn:
        """Call `beat` each period until silence lasts too long: `HeartbeatMissed`.

        A `beat` that hangs in a full socket is cut off by the same limit.
        """
        self.seen()
        with self._scope:
            async for _ in every(self._beat_seconds, slot_seconds=_SLOT_SECONDS):
                await beat()
        raise HeartbeatMissed(f"no sign of life for {self._silence_seconds:g} s")
