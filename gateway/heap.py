"""Gives back the memory that the allocator holds and nobody uses.

Frames, events and rows of every size come and go by the hundred a second beside what
stays, so the heap of the C library fills with holes, and it hands back only what lies at the
heap's end: at 350 events a second 38 MiB stayed in use while the heap grew by 6 MiB a
minute. Asked once a minute, in a thread, it lets whole pages of holes go, which took 1 to
7 ms. That slows the growth and does not end it: what else grows is not known yet.
"""

import ctypes
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from gateway.wire.keepalive import every

TRIM_SECONDS: Final = 60.0


@asynccontextmanager
async def open_trimming() -> AsyncIterator[None]:
    """Trim the heap now and then; does nothing where the C library cannot."""
    trim = find_trim()
    async with trio.open_nursery() as nursery:
        if trim is not None:
            nursery.start_soon(_trim_heap, trim)
        yield
        nursery.cancel_scope.cancel()


def find_trim() -> Callable[[], object] | None:
    """`malloc_trim` of glibc, or None: musl and other systems have none and need none."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return lambda: trim(0)


async def _trim_heap(trim: Callable[[], object]) -> None:
    async for _ in every(TRIM_SECONDS):
        await trio.to_thread.run_sync(trim, abandon_on_cancel=True)
