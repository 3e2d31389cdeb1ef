"""Noticing that the process itself did not run."""

import pytest
import trio
from trio.testing import MockClock

from gateway.wire.pauses import PauseDetector, boot_seconds


class Machine:
    """A machine whose clock runs with Trio's, and can sleep."""

    def __init__(self) -> None:
        self.slept = 0.0

    def elapsed(self) -> float:
        """Seconds since the start, sleep included."""
        return trio.current_time() + self.slept


async def test_a_pause_is_told_once_with_its_length(autojump_clock: MockClock):
    """A suspended machine is noticed right after it wakes; shorter pauses are not."""
    machine, pauses = Machine(), []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(PauseDetector(20, machine.elapsed).run, pauses.append)
        await trio.sleep(100.5)
        machine.slept += 19
        await trio.sleep(100)
        assert pauses == []
        machine.slept += 3600
        await trio.sleep(100)
        nursery.cancel_scope.cancel()
    assert pauses == [pytest.approx(3601)]


async def test_running_on_time_tells_nothing(autojump_clock: MockClock):
    """Six hours without a pause raise no false alarm."""
    pauses = []
    with trio.move_on_after(6 * 3600):
        await PauseDetector(5, Machine().elapsed).run(pauses.append)
    assert pauses == []


def test_the_machines_clock_goes_forward():
    """The default clock is there and does not go back."""
    before = boot_seconds()
    assert boot_seconds() >= before > 0


def test_the_limit_must_be_positive():
    """Every tick would be a pause."""
    with pytest.raises(ValueError, match="longest_seconds"):
        PauseDetector(0)
