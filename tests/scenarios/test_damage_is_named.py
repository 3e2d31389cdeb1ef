"""Row 5: the journal's files are damaged between two runs of the daemon."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from gateway.__main__ import main
from tests.gateway.journal.mutations import run_mutations, write_everything
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig, wait_until

DAMAGED = 65
PAGE_BYTES = 4096
FRAME_BYTES = 24 + PAGE_BYTES
WAL_HEADER_BYTES = 32
EVENTS = 300
FIRST_SEED = 60
"""`make test` tries those before (`tests/gateway/journal/test_damage.py`)."""
MUTATIONS = [
    pytest.param(200, "CI", marks=[pytest.mark.scenarios, pytest.mark.timeout(600)]),
    pytest.param(5000, "soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]
FLIPS = [pytest.param(3, "short"), pytest.param(20, "CI", marks=pytest.mark.scenarios)]


def flip(path: Path, offset: int) -> None:
    """Turn a few bits of one byte."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x5A]))


def rotten_middle_of_wal(state: Path) -> None:
    """A bit in the middle of the WAL: SQLite would silently drop all that follows."""
    wal = state / "journal.db-wal"
    flip(wal, WAL_HEADER_BYTES + wal.stat().st_size // FRAME_BYTES // 2 * FRAME_BYTES + 1000)


def lost_wal(state: Path) -> None:
    """The WAL is gone: it held the newest events."""
    (state / "journal.db-wal").unlink()


def lost_database(state: Path) -> None:
    """The database is gone."""
    (state / "journal.db").unlink()


def foreign_database(state: Path) -> None:
    """The database is no database."""
    (state / "journal.db").write_bytes(os.urandom(3 * PAGE_BYTES))


def rotten_marker(state: Path) -> None:
    """The marker is not what was written."""
    (state / "journal.state").write_bytes(b"{")


DAMAGES: list[Callable[[Path], None]] = [
    rotten_middle_of_wal, lost_wal, lost_database, foreign_database, rotten_marker,
]  # fmt: skip


@pytest.mark.timeout(300)
async def test_damage_is_named_and_never_delivered(
    tmp_path: Path, results: Results, capsys: pytest.CaptureFixture[str]
):
    """Exit 65, `journal verify` says what it is, and the files put back nothing is lost."""
    async with open_rig(tmp_path, seed=55, venues=("fmex",)) as rig:
        await leave_a_wal(rig)
        sound = tmp_path / "sound"
        shutil.copytree(rig.state_dir, sound, ignore=shutil.ignore_patterns("*.sock"))
        told = rig.delivered()
        for damage in DAMAGES:
            damage(rig.state_dir)
            rig.daemon.launch()
            assert await rig.daemon.wait_ended() == DAMAGED, damage.__name__
            assert "journal damaged: " in rig.daemon.tail_of_log(1)
            assert_verify_names_it(rig, capsys)
            assert told == rig.delivered()
            put_back(sound, rig.state_dir)
        await rig.daemon.start()
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        assert "Traceback" not in rig.daemon.log.read_text()
    results.note(
        5, "damaged files between two runs", "short", damages=len(DAMAGES), exit_code=DAMAGED,
        delivered_wrongly=0, facts=verdict.facts, lost=len(verdict.missing),
    )  # fmt: skip


@pytest.mark.parametrize(("mutations", "form"), MUTATIONS)
def test_damage_anywhere_is_found_or_harmless(
    tmp_path: Path, results: Results, mutations: int, form: str
):
    """Bits, sectors, pages and ends of any file: what is read is what was written, or nothing."""
    written = tmp_path / "written"
    trio.run(write_everything, tmp_path / "source", written)
    became = run_mutations(written, tmp_path, range(FIRST_SEED, FIRST_SEED + mutations))
    assert became["found"] > mutations // 4
    results.note(5, "mutations of a journal's files", form, mutations=mutations, **became, wrong=0)


@pytest.mark.parametrize(("flips", "form"), FLIPS)
@pytest.mark.timeout(600)
async def test_a_rotten_record_is_never_delivered(
    tmp_path: Path, results: Results, flips: int, form: str
):
    """A bit of one record turns on disk: a sink that reads it hears what came before, no more."""
    async with open_rig(tmp_path, seed=57, venues=("fmex",)) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(20)
        await wait_until(lambda: len(rig.delivered()) > EVENTS, 60, "events")
        await rig.wait_quiet()
        assert await rig.daemon.stop() == 0
        told = rig.events_path.read_bytes().splitlines()
        sound = tmp_path / "sound"
        shutil.copytree(rig.state_dir, sound)
        rig.sinks = {"late": "{type: jsonl, path: late.jsonl, start: earliest}"}
        rig.write_config()
        late = rig.state_dir / "late.jsonl"
        for number in random.Random(flips).sample(range(len(told)), flips):
            flip(rig.state_dir / "journal.db", place_of(told[number], rig.state_dir))
            rig.daemon.launch()
            assert await rig.daemon.wait_ended() == DAMAGED
            assert "journal damaged: " in rig.daemon.tail_of_log(1)
            heard = late.read_bytes().splitlines() if late.exists() else []
            assert heard == told[: len(heard)]
            assert len(heard) <= number
            put_back(sound, rig.state_dir)
            late.unlink(missing_ok=True)
    results.note(
        5, "a rotten record", form, damages=flips, exit_code=DAMAGED, delivered_wrongly=0,
        events=len(told),
    )  # fmt: skip


def place_of(line: bytes, state: Path) -> int:
    """Where some of an event's text stands in the database."""
    begin = line.index(b'"received_time"')
    return (state / "journal.db").read_bytes().index(line[begin : begin + 60]) + 40


@pytest.mark.timeout(120)
async def test_a_torn_tail_heals_without_a_person(tmp_path: Path, results: Results):
    """Half a transaction at the end of the WAL, as a crash leaves it, is left out and logged."""
    async with open_rig(tmp_path, seed=56, venues=("fmex",)) as rig:
        await leave_a_wal(rig)
        wal = rig.state_dir / "journal.db-wal"
        last = wal.read_bytes()[-FRAME_BYTES:]
        with wal.open("ab") as file:
            # Of this log by its salts, but neither whole nor a commit.
            file.write(last[:4] + bytes(4) + last[8:2000] + bytes(FRAME_BYTES - 2000))
        await rig.daemon.start()
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        assert '"journal_tail_healed"' in rig.daemon.log.read_text()
    results.note(
        5, "a torn tail", "short", healed=1, facts=verdict.facts, events=verdict.events,
        lost=len(verdict.missing),
    )  # fmt: skip


async def leave_a_wal(rig: Rig) -> None:
    """Run it under load, and kill it."""
    await rig.daemon.start()
    await rig.wait_live()
    rig.set_rate(20)
    already = len(rig.delivered())
    await wait_until(lambda: len(rig.delivered()) > already + EVENTS, 60, "events")
    await rig.daemon.kill()


def assert_verify_names_it(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """`gateway journal verify` finds the damage too, in one line, and exits the same."""
    capsys.readouterr()
    assert main(["-c", str(rig.daemon.config), "journal", "verify"]) == DAMAGED
    assert "journal damaged: " in capsys.readouterr().err


def put_back(sound: Path, state: Path) -> None:
    """Restore the files as they were before the damage."""
    for path in state.glob("journal.*"):
        path.unlink()
    for path in sound.glob("journal.*"):
        shutil.copy2(path, state / path.name)
