"""Room between the loop and the writer: bounded, and first come first served."""

import trio


class Room:
    """How much waits for the writer. The bounds are passed by one request at most."""

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._queue = trio.Lock()
        self._freed = trio.lowlevel.ParkingLot()
        self.events = 0
        """Waiting now."""

    @property
    def free(self) -> bool:
        """True when somebody may add at once, without overtaking others."""
        return not self._full and not self._queue.locked()

    async def wait(self) -> None:
        """Wait for room, in the order of the calls.

        The caller adds before its next checkpoint: until then nobody else is let in.
        """
        async with self._queue:
            while self._full:
                await self._freed.park()

    def add(self, events: int, size: int) -> None:
        """These wait for the writer."""
        self.events += events
        self._bytes += size

    def remove(self, events: int, size: int) -> None:
        """The writer is done with these."""
        self.events -= events
        self._bytes -= size
        if not self._full:
            self._freed.unpark_all()

    @property
    def _full(self) -> bool:
        return self.events >= self._max_events or self._bytes >= self._max_bytes
