"""Room between the loop and the writer: bounded, and first come first served."""

import trio


class Room:
    """How much waits for the writer, and how much may."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._queue = trio.Lock()
        self._freed = trio.lowlevel.ParkingLot()
        self.events = 0
        """Waiting now."""

    async def take(self, events: int, size: int) -> float:
        """Wait until there is room, in the order of the calls; the seconds waited.

        No checkpoint where there is room: two tasks must not overtake each other.
        Cancelled while waiting, it has taken nothing. More than the whole room is
        let in when nothing else waits, or it could never pass.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._fits(events, size) and not self._queue.locked():
            self._add(events, size)
            return 0.0
        began = trio.current_time()
        async with self._queue:
            while not self._fits(events, size):
                await self._freed.park()
            self._add(events, size)
        return trio.current_time() - began

    def free(self, events: int, size: int) -> None:
        """The writer is done with these."""
        self._add(-events, -size)
        self._freed.unpark_all()

    def _fits(self, events: int, size: int) -> bool:
        if self.events == 0:
            return True
        return self.events + events <= self._max_events and self._bytes + size <= self._max_bytes

    def _add(self, events: int, size: int) -> None:
        self.events += events
        self._bytes += size
