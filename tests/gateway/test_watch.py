"""The watch: a process that hangs leaves its stacks in the log."""

import time

import pytest
import trio
import trio.testing

from gateway import watch
from gateway.telemetry.metrics import Metrics


async def test_a_blocked_loop_leaves_its_stacks(capfd: pytest.CaptureFixture[str]):
    """While the loop is stuck its stack is written; afterwards one line says how long it was."""
    before = watch.LOOP_STALLED.count
    async with watch.open_watch(Metrics(), stall_seconds=2):
        with trio.fail_after(60):
            await trio.testing.wait_all_tasks_blocked()
            time.sleep(4)  # noqa: ASYNC251 # blocking is what is tested
            while watch.LOOP_STALLED.count == before:  # noqa: ASYNC110 # nothing announces it
                await trio.sleep(0.05)

    assert before + 1 == watch.LOOP_STALLED.count
    assert "test_a_blocked_loop_leaves_its_stacks" in capfd.readouterr().err


async def test_a_reported_hang_shows_every_thread(capfd: pytest.CaptureFixture[str]):
    """The reason and the stacks of all threads."""
    before = watch.UNHEALTHY.count
    with trio.fail_after(30):
        await trio.to_thread.run_sync(watch.report_unhealthy, "the disk does not answer")

    assert before + 1 == watch.UNHEALTHY.count
    written = capfd.readouterr().err
    assert "report_unhealthy" in written
    assert "test_a_reported_hang_shows_every_thread" in written or "trio/_core" in written
