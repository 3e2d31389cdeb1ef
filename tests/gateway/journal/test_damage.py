"""What rots in a journal is found, or harmless; see `mutations` for what is tried.

The same with the figures of a release is a scenario (`test_damage_is_named.py`).
"""

from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path

import pytest
import trio

from gateway.errors import JournalDamaged
from gateway.journal import Journal, verify
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import OpenAt
from tests.gateway.journal.crash import flip
from tests.gateway.journal.mutations import (
    EVENTS,
    read_everything,
    run_mutations,
    write_everything,
)

MUTATIONS = 60


def test_damage_is_found_or_harmless(tmp_path: Path):
    """After a mutation of the files every record read is what was written, or reading fails."""
    written = tmp_path / "written"
    trio.run(write_everything, tmp_path / "source", written)
    assert verify(written).findings == ()
    results = run_mutations(written, tmp_path, range(MUTATIONS))

    assert results["found"] > MUTATIONS // 4
    assert trio.run(read_everything, written) == EVENTS


async def test_damage_found_while_a_group_is_written(tmp_path: Path, open_at: OpenAt):
    """A reader meets a rotten record: who waits for the writer hears that, and nothing breaks."""
    state, mark = tmp_path / "state", "a place to be found"
    async with open_at(state) as journal:
        await (await journal.append([fill_event(1, raw=mark)])).wait()
    flip(state / "journal.db", (state / "journal.db").read_bytes().index(mark.encode()))

    with pytest.raises(JournalDamaged, match="record 1 "), trio.fail_after(30):
        await append_until_it_fails(open_at(state))


async def append_until_it_fails(opening: AbstractAsyncContextManager[Journal]) -> None:
    """Write all the time, while the first record is read."""
    async with opening as journal, trio.open_nursery() as nursery:
        nursery.start_soon(journal.read, 0, 1)
        for number in count(2):
            await journal.append([fill_event(number)])
