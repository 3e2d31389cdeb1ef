"""Bytes on their way to one reader that follows events.

The reader may be slow, or stopped for good. It holds up nobody: what waits for it
is bounded, and a reader that does not take it in time is cut. It can come back
with `Last-Event-ID` and miss nothing, so cutting is kind.
"""

from collections import deque
from typing import Final

import msgspec
import trio


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How much a slow reader gets."""

    unsent_bytes: int = 1024 * 1024
    """More than this may not wait for it …"""
    room_seconds: float = 5
    """… for longer than this."""
    stall_seconds: float = 30
    """And one piece must be taken within this."""


PIECE_BYTES: Final = 64 * 1024
"""Sent at a time, so that progress of a slow reader shows."""


class SlowReader(Exception):
    """You get this when the reader did not take its bytes in time."""


class Outbox:
    """A bounded queue of bytes with one writer and one sender."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._pieces: deque[bytes] = deque()
        self._unsent = 0
        self._changed = trio.Event()

    async def put(self, data: bytes) -> None:
        """Queue bytes. Waits while too much is unsent; raises `SlowReader` if that lasts."""
        with trio.move_on_after(self._patience.room_seconds) as scope:
            await trio.lowlevel.checkpoint()
            while self._unsent > self._patience.unsent_bytes:
                await self._changed.wait()
        if scope.cancelled_caught:
            raise SlowReader(f"{self._unsent} bytes unsent")
        self._pieces.extend(
            data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)
        )
        self._unsent += len(data)
        self._ring()

    async def take(self) -> bytes:
        """The next piece to send; waits for one."""
        while not self._pieces:
            await self._changed.wait()
        return self._pieces.popleft()

    def sent(self, count: int) -> None:
        """The reader's side of the socket took so many bytes."""
        self._unsent -= count
        self._ring()

    def _ring(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
