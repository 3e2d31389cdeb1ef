"""Many who want the same, and what one of them does for all."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.errors import RateLimited
from gateway.wire.commons import HostCommons
from gateway.wire.once import OnceForAll


class Deed:
    """Takes a second, and may fail."""

    def __init__(self) -> None:
        self.done = 0
        self.error: RateLimited | None = None

    async def __call__(self) -> None:
        self.done += 1
        await trio.sleep(1)
        if self.error is not None:
            raise self.error


async def start_many(nursery: trio.Nursery, act: Callable[[], Awaitable[None]]) -> None:
    """A hundred tasks."""
    for _ in range(100):
        nursery.start_soon(act)
    await wait_all_tasks_blocked()


async def test_of_many_at_once_one_acts(autojump_clock: MockClock):
    """What it does counts for all who asked before it began, and for nobody who asks later."""
    once, deed = OnceForAll(), Deed()
    async with trio.open_nursery() as nursery:
        await start_many(nursery, lambda: once.do(deed))
        assert 1 == deed.done
        await start_many(nursery, lambda: once.do(deed))

    assert 2 == deed.done
    await once.do(deed)
    assert 3 == deed.done


async def test_a_failure_is_everybody_s(autojump_clock: MockClock):
    """Nobody tries anew what failed while they waited; each gets an error of its own."""
    once, deed = OnceForAll(), Deed()
    deed.error = RateLimited("slow down", retry_after_seconds=7)
    heard: list[RateLimited] = []

    async def ask() -> None:
        with pytest.raises(RateLimited) as caught:
            await once.do(deed)
        heard.append(caught.value)

    async with trio.open_nursery() as nursery:
        await start_many(nursery, ask)

    assert 1 == deed.done
    assert 100 == len(heard)
    assert {"slow down"} == {str(error) for error in heard}
    assert {7} == {error.retry_after_seconds for error in heard}
    assert 100 == len({id(error) for error in heard})


async def test_who_is_cancelled_leaves_the_deed_to_the_next(autojump_clock: MockClock):
    """A deed that was cut off counts for nobody."""
    once, deed = OnceForAll(), Deed()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as cut:
                cut.start_soon(once.do, deed)
                await wait_all_tasks_blocked()
                nursery.start_soon(once.do, deed)
                await wait_all_tasks_blocked()
                scope.cancel()

    assert 2 == deed.done


def test_what_is_shared_lasts_while_somebody_holds_it():
    """One of a kind for each host; the last to let go takes it along."""
    commons = HostCommons()
    first = commons.share(Deed, "a", Deed)

    assert commons.share(Deed, "a", Deed) is first
    assert commons.share(Deed, "b", Deed) is not first
    first.done = 5
    del first
    assert 0 == commons.share(Deed, "a", Deed).done
