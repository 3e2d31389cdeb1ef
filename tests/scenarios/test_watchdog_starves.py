"""Row 23: the loop is blocked, or the journal's thread is stuck in the disk."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.scenarios.faulty_disk import inject, needs_strace, strace
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig, wait_until

THIRD_PARTY = Path(__file__).parent / "third_party"
WATCHDOG_SECONDS = 6
BLOCKED_SECONDS = 60
"""Long enough for the venues to give the connections up."""
STUCK_MICROSECONDS = 600_000_000


@pytest.fixture
def systemd_ear(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd would hear."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def heard(ear: socket.socket) -> str:
    """Everything that was said since the last call."""
    said = []
    try:
        while True:
            said.append(ear.recv(4096).decode())
    except BlockingIOError:
        return "\n".join(said)


def watched(rig: Rig, ear: socket.socket, seconds: int) -> None:
    """Start the daemon as systemd would with `WatchdogSec=`."""
    address = str(ear.getsockname())
    rig.daemon.environment = {
        "NOTIFY_SOCKET": address,
        "WATCHDOG_USEC": str(seconds * 1_000_000),
        "PYTHONPATH": str(THIRD_PARTY),
    }


@pytest.mark.timeout(300)
async def test_a_blocked_loop_starves_the_watchdog(
    tmp_path: Path, results: Results, systemd_ear: socket.socket
):
    """No more pings, the stacks in the log, more of them at systemd's SIGABRT, nothing lost."""
    trigger = tmp_path / "trigger"
    async with open_rig(tmp_path, seed=23) as rig:
        rig.sinks["third"] = f"{{type: blocking, block_when: {trigger}}}"
        rig.write_config()
        watched(rig, systemd_ear, WATCHDOG_SECONDS)
        await rig.daemon.start()
        await rig.wait_live(60)
        rig.set_rate(20)
        await wait_until(lambda: "WATCHDOG=1" in heard(systemd_ear), what="a first ping")
        trigger.touch()
        await wait_until(lambda: '"loop_stuck"' in rig.daemon.log.read_text(), 60, "the stacks")
        heard(systemd_ear)
        await trio.sleep(WATCHDOG_SECONDS)
        assert "WATCHDOG=1" not in heard(systemd_ear)
        trigger.unlink()
        await abort_and_restart(rig)

        verdict = rig.judge()
        verdict.assert_kept()
        log = rig.daemon.log.read_text()
        assert "Fatal Python error: Aborted" in log
        assert log.count("blocking_sink.py") >= 2
    results.note(
        23, "the loop is blocked", "short", pings_while_blocked=0, facts=verdict.facts,
        events=verdict.events, lost=len(verdict.missing),
    )  # fmt: skip


@pytest.mark.scenarios
@pytest.mark.timeout(600)
async def test_a_loop_blocked_for_a_minute_goes_on(
    tmp_path: Path, results: Results, systemd_ear: socket.socket
):
    """Where nobody ends it, it tells how long it hung, and what it could not hear is a gap."""
    trigger = tmp_path / "trigger"
    async with open_rig(tmp_path, seed=25) as rig:
        rig.sinks["third"] = f"{{type: blocking, block_when: {trigger}}}"
        rig.write_config()
        watched(rig, systemd_ear, WATCHDOG_SECONDS)
        await rig.daemon.start()
        await rig.wait_live(60)
        rig.set_rate(5)
        trigger.touch()
        await wait_until(lambda: '"loop_stuck"' in rig.daemon.log.read_text(), 60, "the stacks")
        heard(systemd_ear)
        await trio.sleep(BLOCKED_SECONDS)
        assert "WATCHDOG=1" not in heard(systemd_ear)
        trigger.unlink()
        await wait_until(lambda: '"loop_stalled"' in rig.daemon.log.read_text(), 60, "a line")
        await wait_until(lambda: "WATCHDOG=1" in heard(systemd_ear), what="a ping")
        await rig.wait_quiet(300)

        verdict = rig.judge()
        verdict.assert_kept()
        assert rig.daemon.starts == 1
    results.note(
        23, "the loop is blocked, and goes on", "CI", seconds=BLOCKED_SECONDS,
        pings_while_blocked=0, facts=verdict.facts, events=verdict.events,
        lost=len(verdict.missing),
    )  # fmt: skip


@needs_strace
@pytest.mark.scenarios
@pytest.mark.timeout(300)
async def test_a_stuck_disk_starves_the_watchdog(
    tmp_path: Path, results: Results, systemd_ear: socket.socket
):
    """An fsync that never returns is noticed although the loop goes on; nothing is lost."""
    stuck = f"delay_enter={STUCK_MICROSECONDS}:when=100"
    async with open_rig(tmp_path, seed=24) as rig:
        watched(rig, systemd_ear, WATCHDOG_SECONDS)
        rig.daemon.prefix = strace(tmp_path / "trace", "fdatasync", *inject("fdatasync", stuck))
        await rig.daemon.start()
        await rig.wait_live(60)
        rig.set_rate(20)
        await wait_until(
            lambda: "gateway_unhealthy" in rig.daemon.log.read_text(), 120, "the alarm"
        )
        heard(systemd_ear)
        await trio.sleep(WATCHDOG_SECONDS)
        assert "WATCHDOG=1" not in heard(systemd_ear)
        assert rig.daemon.status()["gateway"]["name"] == "rig"
        await abort_and_restart(rig)

        verdict = rig.judge()
        verdict.assert_kept()
        log = rig.daemon.log.read_text()
        assert "the journal's writer has been silent" in log
        assert "writer.py" in log
    results.note(
        23, "the journal's thread is stuck in fsync", "CI", pings_while_stuck=0,
        facts=verdict.facts, events=verdict.events, lost=len(verdict.missing),
    )  # fmt: skip


async def abort_and_restart(rig: Rig) -> None:
    """Do what systemd does."""
    rig.daemon.signal(signal.SIGABRT)
    await wait_until(lambda: "Fatal Python error" in rig.daemon.log.read_text(), what="last words")
    free_of_strace(rig.daemon.pid)
    assert await rig.daemon.wait_ended() == -signal.SIGABRT
    rig.daemon.prefix = ()
    await rig.daemon.start()
    await rig.wait_quiet(120)


def free_of_strace(pid: int) -> None:
    """End the strace that holds a thread of the process, if any: no disk can hang for ever."""
    threads = Path(f"/proc/{pid}/task")
    if not threads.exists():
        return
    for status in threads.glob("*/status"):
        tracer = int(status.read_text().partition("TracerPid:")[2].split()[0])
        if tracer:
            os.kill(tracer, signal.SIGKILL)
            return
