"""Tasks that live and die together, and the one error that comes out."""

from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from gateway.errors import ConnectionLost, KeyExpired
from gateway.wire.onefailure import open_single_failure_nursery


async def fail(error: BaseException, after: float = 0) -> None:
    """A task that ends by `error`."""
    await trio.sleep(after)
    raise error


async def together(*tasks: Callable[[], Awaitable[None]]) -> None:
    """Run tasks that end with the first failure."""
    async with open_single_failure_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)


async def test_single_error_comes_out_as_it_is(autojump_clock: MockClock):
    """One task fails: its error ends the others and comes out unwrapped."""
    with pytest.raises(ConnectionLost, match="cut"):
        await together(trio.sleep_forever, partial(fail, ConnectionLost("cut"), 1))


async def test_defect_is_never_hidden(autojump_clock: MockClock):
    """A defect beside a lost connection comes out, with the other as a note."""

    async def break_while_closing() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ZeroDivisionError("bug")

    with pytest.raises(ZeroDivisionError) as caught:
        await together(partial(fail, ConnectionLost("cut"), 1), break_while_closing)

    assert ["at the same time: ConnectionLost: cut"] == caught.value.__notes__


async def test_nested_nurseries_are_unwrapped(autojump_clock: MockClock):
    """An error out of a nursery inside a task is found too."""

    async def nested() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, KeyExpired("old"))

    with pytest.raises(KeyExpired):
        await together(nested)


async def test_body_error_comes_out(autojump_clock: MockClock):
    """An error of the block itself comes out like that of a task."""

    async def body() -> None:
        async with open_single_failure_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise KeyError("body")

    with pytest.raises(KeyError):
        await body()


async def test_cancellation_passes_through(autojump_clock: MockClock):
    """Cancelled from outside, nothing is raised beyond the scope."""
    with trio.move_on_after(1) as scope:
        async with open_single_failure_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)

    assert scope.cancelled_caught


async def test_quiet_end(autojump_clock: MockClock):
    """Tasks that return end the block without an error."""
    async with open_single_failure_nursery() as nursery:
        nursery.start_soon(trio.sleep, 1)
