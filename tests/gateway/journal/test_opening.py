"""From files to a journal: new, as left, after a crash, with something missing."""

import shutil
from pathlib import Path

import apsw
import pytest

from gateway.errors import ExitCode, JournalDamaged, StateDirectoryError
from gateway.journal import happenings, schema
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import OpenAt
from tests.gateway.journal.crash import crashed, fill_one_by_one

V1 = Path(__file__).with_name("fixtures") / "journal_v1.db"


async def seqs(opener: OpenAt, directory: Path) -> list[int]:
    """Everything that a journal gives back."""
    async with opener(directory) as journal:
        return [record.seq for record in await journal.read(0, 1_000)]


async def test_numbering_goes_on_after_a_restart(tmp_path: Path, open_at: OpenAt):
    """A reopened journal holds what it held, numbers on, and keeps its epoch."""
    async with open_at() as journal:
        await fill_one_by_one(journal, 1, 3)
        epoch = journal.epoch

    async with open_at() as journal:
        ticket = await journal.append([fill_event(3), fill_event(4)])
        assert (await ticket.wait()).seqs == (None, 4)
        assert (journal.epoch, journal.first_seq, journal.last_seq) == (epoch, 1, 4)


async def test_an_orderly_stop_leaves_one_file(tmp_path: Path, open_at: OpenAt):
    """After closing, everything is folded into the database: it alone is a backup."""
    async with open_at() as journal:
        await fill_one_by_one(journal, 1, 3)
        await journal.sink_positions()

    assert not (tmp_path / "state/journal.db-wal").exists()


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, open_at: OpenAt):
    """Every event whose ticket returned is there after a crash, in order."""
    left = await crashed(open_at, tmp_path / "state", 20)

    assert await seqs(open_at, left) == list(range(1, 21))


async def test_a_torn_tail_heals_by_itself(tmp_path: Path, open_at: OpenAt):
    """A write that was cut short is left out, said so once, and numbering goes on there."""
    left = await crashed(open_at, tmp_path / "state", 5)
    wal = left / "journal.db-wal"
    with wal.open("r+b") as file:
        file.truncate(wal.stat().st_size - 1_000)
    before = happenings.TAIL_HEALED.count

    assert await seqs(open_at, left) == [1, 2, 3, 4]
    assert happenings.TAIL_HEALED.count == before + 1
    assert await seqs(open_at, left) == [1, 2, 3, 4]
    assert happenings.TAIL_HEALED.count == before + 1


@pytest.mark.parametrize(
    ("missing", "named"),
    [("journal.db", "journal.db is missing"), ("journal.db-wal", "journal.db-wal is missing")],
)
async def test_a_missing_file_is_damage(tmp_path: Path, open_at: OpenAt, missing: str, named: str):
    """A journal that lost a file is refused with exit code 65 instead of starting anew."""
    left = await crashed(open_at, tmp_path / "state", 5)
    (left / missing).unlink()

    with pytest.raises(JournalDamaged, match=named) as caught:
        await seqs(open_at, left)
    assert caught.value.exit_code is ExitCode.JOURNAL_DAMAGED


async def test_a_foreign_database_is_refused(tmp_path: Path, open_at: OpenAt):
    """Another program's SQLite file is not taken for a journal."""
    (tmp_path / "state").mkdir()
    foreign = apsw.Connection(str(tmp_path / "state/journal.db"))
    foreign.execute("CREATE TABLE t (a)")
    foreign.close()

    with pytest.raises(JournalDamaged, match="no gateway's journal"):
        await seqs(open_at, tmp_path / "state")


@pytest.mark.parametrize("content", [b"", b"not a database" * 1_000])
async def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, open_at: OpenAt, content: bytes
):
    """Garbage in the journal's place is refused."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/journal.db").write_bytes(content)

    with pytest.raises(JournalDamaged, match="no SQLite database"):
        await seqs(open_at, tmp_path / "state")


async def test_a_newer_schema_is_refused(tmp_path: Path, open_at: OpenAt):
    """A journal of a newer gateway is left alone, and the versions are named."""
    assert await seqs(open_at, tmp_path / "state") == []
    connection = apsw.Connection(str(tmp_path / "state/journal.db"))
    connection.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    connection.close()

    with pytest.raises(StateDirectoryError, match=f"schema version {schema.VERSION + 1}"):
        await seqs(open_at, tmp_path / "state")


async def test_a_journal_of_version_1_is_read(tmp_path: Path, open_at: OpenAt):
    """The first released form still opens with its events, sink, book and dead letter."""
    (tmp_path / "state").mkdir()
    shutil.copyfile(V1, tmp_path / "state/journal.db")

    async with open_at() as journal:
        records = await journal.read(0, 10)
        assert [record.event() for record in records] == [fill_event(n) for n in (1, 2, 3)]
        assert await journal.load_book("lbank-main") == {("orders", "o-1"): b"known"}
        [position] = await journal.sink_positions()
        assert (position.name, position.cursor, position.dead_letters) == ("desk", 2, 1)
        [letter] = await journal.dead_letters("desk")
        assert letter.record.event() == fill_event(2)


async def test_the_files_are_for_the_gateways_user_only(tmp_path: Path, open_at: OpenAt):
    """What somebody trades is readable for nobody else."""
    async with open_at() as journal:
        await fill_one_by_one(journal, 1, 1)
        modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "state").iterdir()}

    assert modes == {0}
