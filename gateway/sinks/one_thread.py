"""A thread for what blocks: one call at a time, and never in the way of a time limit."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class OneThread:
    """Runs the blocking calls of one sink.

    A call whose time is over is left behind, but ends before the next one begins: two
    calls never touch the same file or connection.
    """

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)

    async def run(self, work: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """Call it there, and wait for its result, unless cancelled."""
        return await trio.to_thread.run_sync(
            work, *arguments, limiter=self._limiter, abandon_on_cancel=True
        )

    async def finish(self, work: Callable[[], object], seconds: float) -> None:
        """Call what closes things, whatever was cancelled, and wait for it only so long."""
        with trio.move_on_after(seconds, shield=True):
            await self.run(work)
