"""A nursery for tasks that live and die together, and fail with one error.

A stream is a reader, a heartbeat and a key keeper; whichever ends first ends all,
and the supervisor wants to know *why*, not to take apart an `ExceptionGroup`::

    async with open_single_failure_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(beat)
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import trio

from gateway.errors import StreamError


@asynccontextmanager
async def open_single_failure_nursery() -> AsyncIterator[trio.Nursery]:
    """A nursery whose exception group is replaced by the one error that matters.

    That is the first defect (anything but a `StreamError`) if there is one, so that
    a bug is never hidden behind a lost connection; otherwise the first `StreamError`.
    The others stay with it as notes. Cancellation passes through untouched.
    """
    group: BaseExceptionGroup[BaseException] | None = None
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as failures:
        group = failures
    if group is not None:
        # Outside the `except`, so that the group is not shown as the error's context.
        raise _single(group)


def _single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    failures = [leaf for leaf in _leaves(group) if not isinstance(leaf, trio.Cancelled)]
    if not failures:
        return group
    chosen = next((leaf for leaf in failures if not isinstance(leaf, StreamError)), failures[0])
    for other in failures:
        if other is not chosen:
            chosen.add_note(f"at the same time: {type(other).__name__}: {other}")
    return chosen


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
