"""`gateway journal backup`: a copy that a gateway starts from."""

from collections.abc import Callable
from pathlib import Path

import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.values import Seconds
from gateway.journal import JournalSettings, Retention, open_journal
from gateway.journal.database import DATABASE_NAME
from gateway.telemetry.metrics import Metrics
from tests.doubles.events import fill_event
from tests.gateway.cli.conftest import Run

KEEP_ALL = JournalSettings(retain=Retention(age=Seconds(1e9)))  # the events are of 2019

Write = Callable[..., Path]


async def record(state: Path, number: int) -> None:
    """A gateway's life in short."""
    async with open_journal(state, KEEP_ALL, clock=WALL_CLOCK, metrics=Metrics()) as journal:
        await (await journal.append([fill_event(number)])).wait()


def configure(write: Write, state: Path) -> Path:
    """A configuration with nothing but a state directory."""
    return write(f"state_dir: {state}\naccounts: {{}}\nsinks: {{}}\n", f"{state.name}.yaml")


def test_a_backup_is_a_journal(run: Run, write: Write, tmp_path: Path):
    """Put into an empty state directory it verifies, and numbering goes on from it."""
    trio.run(record, tmp_path / "state", 1)
    copy = tmp_path / "copy.db"

    assert 0 == run("journal", "backup", copy, "-c", configure(write, tmp_path / "state")).code

    (tmp_path / "restored").mkdir(mode=0o700)
    copy.rename(tmp_path / "restored" / DATABASE_NAME)
    restored = configure(write, tmp_path / "restored")
    assert "1 records, 0 findings" in run("journal", "verify", "-c", restored).out
    trio.run(record, tmp_path / "restored", 2)
    assert "1 to 2" in run("journal", "info", "-c", restored).out


def test_a_backup_replaces_nothing(run: Run, write: Write, tmp_path: Path):
    """An existing file is named, and kept."""
    trio.run(record, tmp_path / "state", 1)
    (tmp_path / "copy.db").write_text("precious")

    done = run(
        "journal", "backup", tmp_path / "copy.db", "-c", configure(write, tmp_path / "state")
    )

    assert 0 != done.code
    assert "exists already" in done.err
    assert "precious" == (tmp_path / "copy.db").read_text()
