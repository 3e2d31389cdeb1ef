"""How a worker is told what to do: by a wish that it looks at between deliveries.

A change of wish cuts short whatever the worker waits for, and never a delivery:
that ends by itself within its time-out, and its answer is worth having.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

import trio


class Wish(Enum):
    """What a worker is wanted to do."""

    RUN = auto()
    PAUSE = auto()
    """Send nothing, keep the position."""
    DRAIN = auto()
    """Go on to the end of the journal, then end."""
    STOP = auto()
    """End once the delivery in flight is answered."""


class Steering:
    """One worker's wish, and the wait that it would cut."""

    def __init__(self) -> None:
        self.wish = Wish.RUN
        self._changed = trio.Event()
        self._wait: trio.CancelScope | None = None
        self._wait_is_idle = False

    def steer(self, wish: Wish) -> None:
        """Set the wish."""
        self.wish = wish
        self._changed.set()
        self._changed = trio.Event()
        self.nudge()
        if wish in (Wish.PAUSE, Wish.STOP) and self._wait is not None:
            self._wait.cancel()

    def nudge(self) -> None:
        """Make an idle worker look around. One that backs off waits to the end."""
        if self._wait is not None and self._wait_is_idle:
            self._wait.cancel()

    async def wait_for_other(self, wish: Wish) -> None:
        """Wait until the wish is not `wish`."""
        while self.wish is wish:
            await self._changed.wait()

    @contextmanager
    def cut(self, *, idle: bool) -> Iterator[None]:
        """Around a wait: a change of wish ends the block; `idle` lets a nudge do so too."""
        with trio.CancelScope() as scope:
            if self.wish in (Wish.PAUSE, Wish.STOP):
                scope.cancel()
            self._wait, self._wait_is_idle = scope, idle
            try:
                yield
            finally:
                self._wait = None
