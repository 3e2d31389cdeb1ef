"""Row 4: the disk fails for another cause than space."""

from pathlib import Path

import pytest

from tests.scenarios.faulty_disk import inject, mounted, needs_mount, needs_strace, remount, strace
from tests.scenarios.results import Results
from tests.scenarios.rig import open_rig, wait_until

DISK_FAILED = 74
STATE_DIRECTORY = 73
FAULTS = [
    pytest.param("fdatasync,fsync", "error=EIO:when=80+", id="fsync-EIO"),
    pytest.param("pwrite64", "error=EIO:when=400+", id="write-EIO", marks=pytest.mark.scenarios),
    pytest.param(
        "pwrite64", "error=EROFS:when=400+", id="write-EROFS", marks=pytest.mark.scenarios
    ),
]


@needs_strace
@pytest.mark.parametrize(("calls", "fault"), FAULTS)
@pytest.mark.timeout(300)
async def test_a_failing_disk_stops_it_and_a_restart_recovers(
    tmp_path: Path, results: Results, calls: str, fault: str
):
    """Exit 74 with a clear message; what was not on disk was not told; a restart goes on."""
    trace = tmp_path / "trace"
    async with open_rig(tmp_path, seed=4) as rig:
        rig.daemon.prefix = strace(trace, calls, *inject(calls, fault))
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(20)
        assert await rig.daemon.wait_ended(90) == DISK_FAILED
        told = len(rig.delivered())
        assert "check the disk" in rig.daemon.tail_of_log(1)
        assert "Traceback" not in rig.daemon.log.read_text()
        failed = trace.read_text().count("(INJECTED)")
        assert failed > 0

        rig.daemon.prefix = ()
        await rig.daemon.start()
        await rig.wait_live()
        await rig.wait_quiet()
        verdict = rig.judge()
        verdict.assert_kept()
        assert len(rig.delivered()) > told
    results.note(
        4, f"{calls} fails: {fault.partition(':')[0]}", "short" if "fsync" in calls else "CI",
        calls_failed=failed, exit_code=DISK_FAILED, facts=verdict.facts, events=verdict.events,
        lost=len(verdict.missing),
    )  # fmt: skip


@needs_mount
@pytest.mark.timeout(120)
async def test_a_read_only_file_system_is_named(tmp_path: Path, results: Results):
    """A start on it ends with 73 or 74 and says what to do; writable again, it goes on."""
    with mounted(tmp_path / "state", 48):
        async with open_rig(tmp_path, seed=5) as rig:
            await rig.daemon.start()
            await rig.wait_live()
            rig.set_rate(20)
            await wait_until(lambda: len(rig.delivered()) > 50, what="events")
            assert await rig.daemon.stop() == 0
            remount(rig.state_dir, "ro")
            rig.daemon.launch()
            code = await rig.daemon.wait_ended()
            assert code in (STATE_DIRECTORY, DISK_FAILED)
            assert "Read-only file system" in rig.daemon.tail_of_log(1)
            remount(rig.state_dir, "rw")
            await rig.daemon.start()
            await rig.wait_quiet()

            verdict = rig.judge()
            verdict.assert_kept()
    results.note(
        4, "the file system is read-only at a start", "short", exit_code=code,
        facts=verdict.facts, events=verdict.events, lost=len(verdict.missing),
    )  # fmt: skip
