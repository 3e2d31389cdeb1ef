"""The watch: a process that hangs leaves its stacks in the log."""

import signal
import subprocess
import sys
import time
from subprocess import PIPE

import pytest
import trio
import trio.testing

from gateway import watch
from gateway.telemetry.metrics import Metrics


async def test_a_blocked_loop_leaves_its_stacks(capfd: pytest.CaptureFixture[str]):
    """While the loop is stuck its stack is written; afterwards one line says how long it was."""
    before, stuck = watch.LOOP_STALLED.count, watch.LOOP_STUCK.count
    async with watch.open_watch(Metrics(), stall_seconds=3):
        with trio.fail_after(60):
            await trio.testing.wait_all_tasks_blocked()
            time.sleep(5)  # noqa: ASYNC251 # blocking is what is tested
            while watch.LOOP_STALLED.count == before:  # noqa: ASYNC110 # nothing announces it
                await trio.sleep(0.05)

    assert (before + 1, stuck + 1) == (watch.LOOP_STALLED.count, watch.LOOP_STUCK.count)
    assert "test_a_blocked_loop_leaves_its_stacks" in capfd.readouterr().err


SUSPENDED = """
import trio
from gateway import watch
from gateway.telemetry.metrics import Metrics

async def main():
    async with watch.open_watch(Metrics(), stall_seconds=3):
        print("watched", flush=True)
        await trio.to_thread.run_sync(input)
        await trio.sleep(1)

trio.run(main)
"""


def test_a_suspended_process_is_not_stuck():
    """Where all stood still, nothing hangs: no stacks, for which running threads would be read."""
    command = [sys.executable, "-c", SUSPENDED]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        time.sleep(5)
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate("on", timeout=60)

    assert (0, "") == (process.returncode, said)


async def test_a_reported_hang_shows_every_thread(capfd: pytest.CaptureFixture[str]):
    """The reason and the stacks of all threads."""
    before = watch.UNHEALTHY.count
    with trio.fail_after(30):
        await trio.to_thread.run_sync(watch.report_unhealthy, "the disk does not answer")

    assert before + 1 == watch.UNHEALTHY.count
    written = capfd.readouterr().err
    assert "report_unhealthy" in written
    assert "test_a_reported_hang_shows_every_thread" in written or "trio/_core" in written
