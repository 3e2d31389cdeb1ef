"""A nursery for tasks that live and die together, and fail with one error.

A stream is a reader, a heartbeat and a key keeper; whichever ends first ends all,
and the supervisor wants to know *why*, not to take apart an `ExceptionGroup`::

    async with open_single_failure_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(beat)
"""

from collections.abc import Iterator
from types import TracebackType

import trio

from gateway.errors import StreamError


class open_single_failure_nursery:  # noqa: N801  (named like the `trio.open_nursery` it is used as)
    """A nursery whose exception group is replaced by the one error that matters.

    See `single_failure`. Written out, as each connection holds some of them for all its
    life: `asynccontextmanager` would keep a generator and what belongs to it, 0.9 KiB.
    """

    __slots__ = ("_manager",)

    def __init__(self) -> None:
        self._manager = trio.open_nursery()

    async def __aenter__(self) -> trio.Nursery:
        return await self._manager.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        group: BaseExceptionGroup[BaseException]
        try:
            return await self._manager.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as failures:
            group = failures
        # Outside the `except`, so that the group is not shown as the error's context.
        raise single_failure(group)


def single_failure(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error of a group that matters.

    That is the first defect (anything but a `StreamError`) if there is one, so that
    a bug is never hidden behind a lost connection; otherwise the first `StreamError`.
    The others stay with it as notes. Cancellation stays the group that it is.
    """
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
