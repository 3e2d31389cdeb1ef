"""A journal's files as a crash leaves them: taken while the gateway still runs."""

import shutil
from pathlib import Path

from gateway.journal import Journal
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import OpenAt

FILES = ("journal.db", "journal.db-wal", "journal.state")


def crash_copy(source: Path, target: Path) -> Path:
    """Copy what would be on disk after a kill; `-shm` is rebuilt and never matters."""
    target.mkdir(parents=True)
    for name in FILES:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
    return target


async def fill_one_by_one(journal: Journal, first: int, last: int) -> None:
    """One commit per event, so that the WAL holds that many transactions."""
    for number in range(first, last + 1):
        await (await journal.append([fill_event(number)])).wait()


async def crashed(open_at: OpenAt, directory: Path, events: int) -> Path:
    """The files of a gateway that was killed after so many single commits."""
    async with open_at(directory) as journal:
        await fill_one_by_one(journal, 1, events)
        return crash_copy(directory, directory.with_name(directory.name + "-crashed"))


def flip(path: Path, offset: int, mask: int = 0x10) -> None:
    """Flip bits of one byte."""
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ mask]))
