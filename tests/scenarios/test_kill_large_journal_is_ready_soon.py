"""Row 1: how long a start takes after a kill, with a large journal."""

import time
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.values import Seconds
from gateway.journal import JournalSettings, open_journal
from gateway.journal.settings import Retention
from gateway.telemetry.metrics import Metrics
from tests.doubles.events import fill_event
from tests.scenarios.results import Results
from tests.scenarios.rig import open_rig

SIZES = [
    pytest.param(10, "short"),
    pytest.param(100, "CI", marks=pytest.mark.scenarios),
]
MIB = 1 << 20
RAW_BYTES = 2_000
FOR_EVER = JournalSettings(retain=Retention(age=Seconds(10 * 365 * 86_400)))
"""The events of the doubles are of old."""


@pytest.mark.parametrize(("megabytes", "form"), SIZES)
@pytest.mark.timeout(300)
async def test_a_large_journal_is_ready_soon(
    tmp_path: Path, results: Results, megabytes: int, form: str
):
    """Killed with a large journal, the daemon journals again; how soon is noted, not asserted."""
    async with open_rig(tmp_path, accounts=1, seed=100, venues=("fmex",)) as rig:
        rig.settings["journal"] = "{retain: {age: 3650d}}"
        await fill(rig.state_dir, megabytes * MIB)
        rig.sinks["events"] = "{type: jsonl, path: events.jsonl, start: latest}"
        rig.write_config()
        await rig.daemon.start()
        await rig.wait_live()
        await rig.daemon.kill()
        begun = time.monotonic()
        await rig.daemon.start()
        seconds = time.monotonic() - begun

        assert rig.daemon.status()["journal"]["bytes"] >= megabytes * MIB
        events = rig.daemon.status()["journal"]["last_seq"]
    results.note(
        1, "ready after a kill with a large journal", form, MiB=megabytes, events=events,
        seconds_to_ready=round(seconds, 2),
    )  # fmt: skip


async def fill(directory: Path, size: int) -> None:
    """Write a journal of that size."""
    raw = "x" * RAW_BYTES
    async with open_journal(directory, FOR_EVER, clock=WALL_CLOCK, metrics=Metrics()) as journal:
        number = 0
        while (directory / "journal.db").stat().st_size < size:
            events = [fill_event(number + each, raw=raw) for each in range(500)]
            await (await journal.append(events)).wait()
            number += len(events)
