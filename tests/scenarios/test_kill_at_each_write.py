"""Row 2: SIGKILL at single system calls, and the order of fsync and delivery."""

import re
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from gateway.admin.client import NotRunning
from tests.scenarios.faulty_disk import inject, needs_strace, strace
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig, wait_until

pytestmark = needs_strace

CALLS = ("pwrite64", "fdatasync", "fsync", "rename", "unlink", "ftruncate", "write")
"""Whatever changes a file: journal, marker, cursor, sink, log."""
WAL_NAME = "".join(f"\\x{byte:02x}" for byte in b"journal.db-wal")
"""As strace shows it with -xx."""
RUN_EVENTS = 30
"""A run that was not killed by then is stopped, so that kills hit the stop too."""
POINTS = [
    pytest.param(3, "short"),
    pytest.param(60, "CI", marks=pytest.mark.pending),
    pytest.param(1000, "soak", marks=pytest.mark.soak),
]


@pytest.mark.parametrize(("points", "form"), POINTS)
@pytest.mark.timeout(3600)
async def test_a_kill_at_any_write_loses_nothing(
    tmp_path: Path, results: Results, points: int, form: str
):
    """From the making of the first file on: killed at a call, started, killed at the next."""
    reference = tmp_path / "reference"
    reference.mkdir()
    counts = await count_calls(reference)
    hit: Counter[str] = Counter()
    async with open_rig(tmp_path, seed=2, venues=("fmex",)) as rig:
        for call, number in spread(counts, points):
            fault = inject(call, f"signal=KILL:when={number}")
            rig.daemon.prefix = strace(tmp_path / "trace", call, *fault)
            rig.daemon.launch()
            hit[call] += await killed(rig)
            if hit.total() == points:
                break
        rig.daemon.prefix = ()
        await rig.daemon.start()
        await rig.wait_live(180)
        rig.set_rate(10)
        already = len(rig.delivered())
        await wait_until(lambda: len(rig.delivered()) > already + RUN_EVENTS, 60, "events")
        await rig.wait_quiet(180)

        verdict = rig.judge()
        verdict.assert_kept()
        assert hit.total() == points
    results.note(
        2, "SIGKILL at single system calls", form, kills=hit.total(),
        kinds_of_call=len([call for call in hit if hit[call]]), facts=verdict.facts,
        events=verdict.events, repeats=verdict.repeats, lost=len(verdict.missing),
    )  # fmt: skip


async def count_calls(directory: Path) -> dict[str, int]:
    """How often one thread makes each call in an undisturbed run."""
    trace = directory / "trace"
    async with open_rig(directory, seed=2, venues=("fmex",)) as rig:
        rig.daemon.prefix = strace(trace, ",".join(CALLS))
        rig.daemon.launch()
        assert not await killed(rig)
    counts = Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.MULTILINE))
    most: dict[str, int] = {}
    for (_thread, call), number in counts.items():
        most[call] = max(most.get(call, 0), number)
    return most


def spread(counts: dict[str, int], points: int) -> Iterator[tuple[str, int]]:
    """Points over all calls in turn, each from its first to its last; more than are wanted."""
    rounds = max(points // len(counts), 1)
    for step in range(3 * rounds):
        for call in CALLS:
            most = counts.get(call, 0)
            if most:
                stride = max(most // rounds, 1)
                yield call, 1 + (step * stride + step // rounds) % most


async def killed(rig: Rig) -> bool:
    """Let it run; True when it was killed, False when it had to be stopped."""
    await wait_until(lambda: not rig.daemon.running or is_live(rig), 90)
    # What happens before the first snapshot was read is nobody's promise.
    rig.set_rate(10 if rig.delivered() else 0)
    already = len(rig.delivered())
    await wait_until(
        lambda: not rig.daemon.running or len(rig.delivered()) > already + RUN_EVENTS, 90
    )
    if rig.daemon.running:
        return await rig.daemon.stop() != 0
    return True


def is_live(rig: Rig) -> bool:
    """Whether all accounts are live; a daemon that is being killed is not."""
    try:
        return rig.all_live()
    except (NotRunning, OSError, HTTPException):
        return False


async def test_no_sink_hears_what_is_not_on_disk(tmp_path: Path, results: Results):
    """The WAL's fdatasync has returned before the first byte of an event goes to a sink."""
    trace = tmp_path / "trace"
    async with open_rig(tmp_path, seed=6) as rig:
        rig.daemon.prefix = strace(
            trace, "pwrite64,fdatasync,write", "-y", "-xx", "-s", "1000000",
            "-P", str(rig.state_dir / "journal.db-wal"), "-P", str(rig.events_path),
        )  # fmt: skip
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(20)
        await wait_until(lambda: len(rig.delivered()) > 200, 60, "events")
        assert await rig.daemon.stop() == 0
        ids = [event["id"] for event in rig.delivered()]

    synced = events_by_sync(trace.read_text(), ids)
    assert set(ids) == set(synced)
    early = [each for each, (durable, told) in synced.items() if durable > told]
    assert early == []
    results.note(
        2, "trace: fdatasync of the WAL before delivery", "short", events=len(synced), early=0
    )


def events_by_sync(trace: str, ids: list[str]) -> dict[str, tuple[int, int]]:
    """For each event: the line at which its fsync returned, and that of its delivery."""
    waiting = set(ids)
    written: list[str] = []
    syncing: dict[str, list[str]] = {}
    durable: dict[str, int] = {}
    told: dict[str, int] = {}
    for number, line in enumerate(trace.splitlines()):
        thread, is_wal = line.split()[0], WAL_NAME in line
        data = line.replace("\\x", "")
        if "pwrite64(" in line and is_wal:
            found = [each for each in waiting if each in data]
            written += found
            waiting.difference_update(found)
        elif "fdatasync(" in line and is_wal:
            syncing[thread], written = written, []
        if "fdatasync" in line and line.endswith("= 0"):
            durable.update(dict.fromkeys(syncing.pop(thread, ()), number))
        elif " write(" in line:
            for each in ids:
                if each.encode().hex() in data:
                    told.setdefault(each, number)
    return {each: (durable[each], told[each]) for each in told if each in durable}
