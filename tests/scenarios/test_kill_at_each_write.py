"""Row 2: SIGKILL at single system calls, and the order of fsync and delivery."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from gateway.errors import GatewayError
from tests.scenarios.faulty_disk import inject, needs_strace, strace
from tests.scenarios.oracle import Verdict
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig, wait_until

pytestmark = needs_strace

CALLS = ("pwrite64", "fdatasync", "fsync", "rename", "unlink", "ftruncate", "write")
"""Whatever changes a file: journal, marker, cursor, sink, log."""
WAL_NAME = "".join(f"\\x{byte:02x}" for byte in b"journal.db-wal")
"""As strace shows it with -xx."""
RATE = 10.0
RUN_EVENTS = 30
"""A run that was not killed by then is stopped, so that kills hit the stop too."""
PAGE_KILLS = 20
"""So many are judged together, and their gaps filled: what REST has to tell grows with each."""
POINTS = [
    pytest.param(5, "short", marks=pytest.mark.timeout(300)),
    pytest.param(60, "CI", marks=[pytest.mark.scenarios, pytest.mark.timeout(900)]),
    pytest.param(100_000, "soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]
FRESH_SHARE = 1 / 3
"""Of the points: in the very first run, which makes the files."""
SPARE = 1.25
"""So many more are tried than are wanted: no run makes exactly as many calls as another."""
LEAST_HIT = 0.7
"""Of all points there are: as many must be met where all are wanted."""

Point = tuple[str, int]
"""A system call, and the how-manieth one of a thread."""


@pytest.mark.parametrize(("points", "form"), POINTS)
async def test_a_kill_at_any_write_loses_nothing(
    tmp_path: Path, results: Results, points: int, form: str
):
    """Killed at a call of the first run or of a later one, started again, killed at the next."""
    fresh = round(points * FRESH_SHARE)
    total = Verdict()
    async with open_rig(tmp_path, seed=2, venues=("fmex",)) as rig:
        first, later = await count_calls(rig), await count_calls(rig)
        hit = await kill_first_runs(tmp_path, first, fresh, total)
        hit += await kill_later_runs(rig, later, points - fresh, total)
        total.add(await go_on(rig))
    all_points = sum(first.values()) + sum(later.values())
    assert hit.total() >= min(points, all_points * LEAST_HIT)
    results.note(
        2, "SIGKILL at single system calls", form, kills=hit.total(),
        kinds_of_call=len([call for call in hit if hit[call]]), facts=total.facts,
        events=total.events, repeats=total.repeats, lost=0,
    )  # fmt: skip


async def kill_first_runs(
    directory: Path, counts: dict[str, int], points: int, total: Verdict
) -> Counter[str]:
    """Each point with files that are yet to be made."""
    hit: Counter[str] = Counter()
    for call, number in spread(counts, round(points * SPARE)):
        if hit.total() < points:
            place = directory / f"{call}-{number}"
            place.mkdir()
            async with open_rig(place, seed=2, venues=("fmex",)) as rig:
                hit[call] += await kill_at(rig, (call, number))
                total.add(await go_on(rig))
            shutil.rmtree(place)
    return hit


async def kill_later_runs(
    rig: Rig, counts: dict[str, int], points: int, total: Verdict
) -> Counter[str]:
    """One point after the other with the same files."""
    hit: Counter[str] = Counter()
    for point in spread(counts, round(points * SPARE)):
        if hit.total() < points:
            hit[point[0]] += await kill_at(rig, point)
            if hit.total() % PAGE_KILLS == 0:
                total.add(await go_on(rig))
    return hit


async def go_on(rig: Rig) -> Verdict:
    """Start it as if nothing had been, and judge what it holds."""
    rig.daemon.prefix = ()
    await rig.daemon.start()
    await rig.wait_live(180)
    rig.set_rate(RATE)
    already = len(rig.delivered())
    await wait_until(lambda: len(rig.delivered()) > already + RUN_EVENTS, 60, "events")
    verdict = await rig.turn_page(180)
    assert await rig.daemon.stop() == 0
    return verdict


async def count_calls(rig: Rig) -> dict[str, int]:
    """How often one thread makes each call in an undisturbed run."""
    trace = rig.directory / "trace"
    rig.daemon.prefix = strace(trace, ",".join(CALLS))
    rig.daemon.launch()
    assert not await killed(rig)
    counts = Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.MULTILINE))
    most: dict[str, int] = {}
    for (_thread, call), number in counts.items():
        most[call] = max(most.get(call, 0), number)
    return most


def spread(counts: dict[str, int], points: int) -> list[Point]:
    """So many different points, as evenly over the calls as these allow, amid equal stretches."""
    share: Counter[str] = Counter()
    wanted = min(points, sum(counts.values()))
    while share.total() < wanted:
        for call, most in counts.items():
            share[call] += share[call] < most and share.total() < wanted
    return [
        (call, 1 + (2 * step + 1) * counts[call] // (2 * share[call]))
        for call in counts
        for step in range(share[call])
    ]


async def kill_at(rig: Rig, point: Point) -> bool:
    """Run it until that call; False when it never came to it."""
    call, number = point
    fault = inject(call, f"signal=KILL:when={number}")
    rig.daemon.prefix = strace(rig.directory / "trace", call, *fault)
    rig.daemon.launch()
    return await killed(rig)


async def killed(rig: Rig) -> bool:
    """Let it run; True when it was killed, False when it had to be stopped."""
    await wait_until(lambda: not rig.daemon.running or is_live(rig), 90)
    if is_live(rig):
        # Not sooner: what happens before the first snapshot was read is nobody's promise.
        rig.set_rate(RATE)
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
    except (GatewayError, OSError):
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
