"""The look into the WAL before SQLite opens it."""

from pathlib import Path

import pytest
import trio

from gateway.errors import JournalDamaged
from gateway.journal.wal import inspect
from tests.gateway.journal.conftest import OpenAt
from tests.gateway.journal.crash import crashed, flip

HEADER, FRAME = 32, 24 + 4096


@pytest.fixture
def wal(tmp_path: Path, open_at: OpenAt) -> Path:
    """The WAL of a gateway that was killed after six commits."""
    return trio.run(crashed, open_at, tmp_path / "state", 6) / "journal.db-wal"


def test_a_sound_log_has_nothing_to_tell(wal: Path):
    """After a plain kill nothing is torn and nothing is damaged."""
    finding = inspect(wal)

    assert (finding.torn, finding.damaged_frame) == (False, None)


def test_no_log_is_sound(tmp_path: Path):
    """A missing or empty WAL is what an orderly stop leaves."""
    (tmp_path / "empty").touch()

    assert inspect(tmp_path / "missing") == inspect(tmp_path / "empty")
    assert inspect(tmp_path / "missing").damaged_frame is None


@pytest.mark.parametrize("cut", [1, 2_000, FRAME - 1, FRAME])
def test_a_cut_tail_is_torn(wal: Path, cut: int):
    """A log that ends within a transaction is a write cut short, not damage."""
    size = wal.stat().st_size
    with wal.open("r+b") as file:
        file.truncate(size - cut)

    assert inspect(wal).torn
    assert inspect(wal).damaged_frame is None


@pytest.mark.parametrize("offset", [0, 8, 16, 24, 2_000])
def test_a_bad_frame_before_later_commits_is_damage(wal: Path, offset: int):
    """A flipped bit in the middle is named, with the number of transactions behind it."""
    flip(wal, HEADER + FRAME + offset)

    finding = inspect(wal)
    assert finding.damaged_frame == 2
    assert finding.commits_behind >= 4


@pytest.mark.parametrize("offset", [0, 8, 12, 16, 24])
def test_a_bad_header_is_damage(wal: Path, offset: int):
    """SQLite would take a log with a bad header for an empty one."""
    flip(wal, offset)

    assert inspect(wal).damaged_frame == 0


def test_pages_that_never_reached_the_disk_are_torn(wal: Path):
    """Of an unacknowledged last transaction, later pages may be on disk without earlier ones."""
    frames = (wal.stat().st_size - HEADER) // FRAME
    with wal.open("r+b") as file:
        file.seek(HEADER + (frames - 2) * FRAME)
        file.write(bytes(FRAME))

    assert inspect(wal).torn
    assert inspect(wal).damaged_frame is None


def test_a_damaged_log_is_left_as_it_is(wal: Path, open_at: OpenAt):
    """Opening refuses with the frame and changes nothing, so that it can be looked into."""
    flip(wal, HEADER + FRAME + 100)
    before = wal.read_bytes()

    for _ in range(2):
        with pytest.raises(JournalDamaged, match=r"frame 2 of .*journal.db-wal"):
            trio.run(open_and_close, open_at, wal.parent)
    assert wal.read_bytes() == before


async def open_and_close(open_at: OpenAt, directory: Path) -> None:
    """Start and stop."""
    async with open_at(directory):
        pass
