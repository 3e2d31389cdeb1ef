"""Writing to a descriptor that somebody else may have stopped reading.

A terminal after Ctrl-S and a pipe whose reader sleeps block `write` for as long as
they please. So the writing happens in a thread, in pieces that the kernel said it
would take at once, and looks up between pieces whether it was cancelled.
"""

import os
import select
from typing import Final, Literal

import trio

from gateway.errors import SinkUnavailable

STDOUT: Final = 1
PIECE_BYTES: Final = select.PIPE_BUF
"""A pipe that polls writable takes this much without blocking (pipe(7))."""
LOOK_UP_MS: Final = 100
"""How often a stalled write looks whether it was cancelled."""


class Output:
    """One descriptor, written by one task at a time. Does not close it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._limiter = trio.CapacityLimiter(1)
        self._torn = False

    def wants_colour(self, wish: Literal["auto", "always", "never"]) -> bool:
        """Tell whether escape codes belong into this output."""
        if wish == "auto":
            return os.isatty(self._descriptor) and not os.environ.get("NO_COLOR")
        return wish == "always"

    async def write(self, data: bytes) -> None:
        """Write all of `data`; raises `SinkUnavailable` when the reader is gone.

        Cancelled in the middle, it leaves the line that it was in; the next write
        begins on a new one.
        """
        try:
            await trio.to_thread.run_sync(self._write_pieces, data, limiter=self._limiter)
        except OSError as error:
            raise SinkUnavailable(f"cannot write to stdout: {error.strerror}") from error

    def _write_pieces(self, data: bytes) -> None:
        rest = memoryview(b"\n" + data if self._torn else data)
        writable = select.poll()
        writable.register(self._descriptor, select.POLLOUT)
        while rest:
            trio.from_thread.check_cancelled()
            if not writable.poll(LOOK_UP_MS):
                continue
            # A descriptor that was made non-blocking by somebody it is shared with
            # may still decline; the poll above then waits for it.
            try:
                written = os.write(self._descriptor, rest[:PIECE_BYTES])
            except BlockingIOError:
                continue
            self._torn = rest[written - 1] != ord("\n")
            rest = rest[written:]
