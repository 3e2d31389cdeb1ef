"""An account that stands by: connected and live, but silent, until the book is its own.

Before an account moves here its connections are opened (make before break); what they
hear is held, and goes through the book once its last owner has handed that over. What
both heard is recognised there, as with two connections of one gateway.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import trio

from gateway.accounts.news import Heard
from gateway.contracts.told import Told

HELD_NS: Final = 60 * 10**9
"""What was heard longer ago is let go: its owner has told it long since."""


class StandBy:
    """What an account hears and goes through while it stands by."""

    def __init__(self) -> None:
        self.connections: dict[int, int] = {}
        """Live ones by number, each with the instant at which it came up, epoch ns."""
        self.held: deque[tuple[Sequence[Told], Heard]] = deque()
        self.is_over = False
        """True once the book was taken over: what is held is on its way into it."""
        self._came_up = trio.Event()

    def came_up(self, number: int, at_ns: int) -> None:
        """A connection is live."""
        self.connections[number] = at_ns
        self._came_up.set()

    def went_down(self, number: int) -> None:
        """A connection ended."""
        self.connections.pop(number, None)
        if not self.connections and not self.is_over:
            self._came_up = trio.Event()
            self.held.clear()

    def hold(self, told: Sequence[Told], heard: Heard) -> None:
        """Keep what was heard."""
        self.held.append((told, heard))
        while not self.is_over and self.held[0][1].received_ns < heard.received_ns - HELD_NS:
            self.held.popleft()

    async def wait_live(self) -> None:
        """Wait until a connection is live."""
        await self._came_up.wait()

    def heard_all_since(self, at_ns: int) -> bool:
        """Whether a connection was live from then on and all that it heard is held."""
        began_ns = min(self.connections.values(), default=None)
        if began_ns is None or began_ns > at_ns:
            return False
        newest_ns = self.held[-1][1].received_ns if self.held else at_ns
        return newest_ns - at_ns < HELD_NS
