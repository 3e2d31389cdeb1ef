"""Keeps the heap of the C library from growing by holes.

Frames, events and rows of every size come and go by the hundred a second beside what
stays. Large pieces among them leave holes that something small moves into, and the next
large one takes new memory. Three things help, and where the C library is not glibc
nothing is done and nothing needed:

- Large pieces are kept out of the heap. By itself glibc moves the border between large
  and small up to 32 MiB, once it has seen a piece of such a size: a batch for a webhook.
- Threads share one heap beside that of the loop. By itself each of eight threads a core
  gets one, and what one thread has freed no other may use.
- Once a minute whole pages of holes are given back, which took 1 to 7 ms, in a thread.
"""

import ctypes
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from gateway.wire.keepalive import every

TRIM_SECONDS: Final = 60.0

# Numbers and names are those of <malloc.h>, see mallopt(3).
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8

_LARGE_BYTES: Final = 128 * 1024
"""Larger pieces are mapped one by one and given back at once; glibc's own first value."""
_END_KEPT_BYTES: Final = 1024 * 1024
"""So much may lie free at the heap's end. At glibc's 128 KiB it would be given back and asked
for again many times a second, now that nothing moves the border any more."""
_HEAPS: Final = 2


def keep_dense() -> None:
    """Tell the allocator how to go about it; before there are threads."""
    mallopt = _find("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _END_KEPT_BYTES)
        mallopt(_ARENA_MAX, _HEAPS)


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
    trim = _find("malloc_trim")
    return None if trim is None else lambda: trim(0)


def _find(name: str) -> Callable[..., object] | None:
    try:
        found: Callable[..., object] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        return None
    return found


async def _trim_heap(trim: Callable[[], object]) -> None:
    async for _ in every(TRIM_SECONDS):
        await trio.to_thread.run_sync(trim, abandon_on_cancel=True)
