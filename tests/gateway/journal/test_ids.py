"""Ids stay unique through sealing, retirement and restarts."""

import random
from pathlib import Path

import apsw
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.id_filter import FilterTable, SegmentFilter
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import OpenAt
from tests.gateway.journal.test_retention import DAY_LATER, QUICK, SetClock, fill, keeping, until


@given(st.sets(st.binary(min_size=16, max_size=16), max_size=50), st.integers(1, 20))
def test_a_filter_never_denies_what_it_learnt(ids: set[bytes], segments: int):
    """Each id is a candidate of its own segment, however many there are."""
    table = FilterTable()
    for number in range(segments):
        learnt = SegmentFilter()
        learnt.add(ids if number == segments // 2 else ())
        table.put(number, learnt.finish())

    assert all(table.candidates(event_id) == [segments // 2] for event_id in ids)


def test_a_dropped_segment_is_no_candidate():
    """A segment that was retired is not asked again, and its place is used anew."""
    table, event_id = FilterTable(), b"0123456789abcdef"
    learnt = SegmentFilter()
    learnt.add([event_id])
    table.put(1, learnt.finish())
    table.drop(1)
    table.put(2, SegmentFilter().finish())

    assert table.candidates(event_id) == []


def test_a_filter_is_seldom_wrong():
    """A full segment of random ids is asked in vain less than once in a hundred looks."""
    rng = random.Random(1)
    learnt, table = SegmentFilter(), FilterTable()
    learnt.add(rng.randbytes(16) for _ in range(65_536))
    table.put(1, learnt.finish())

    assert sum(bool(table.candidates(rng.randbytes(16))) for _ in range(10_000)) < 100


async def test_sealed_ids_are_still_known(tmp_path: Path, open_at: OpenAt):
    """An id is recognised fresh, being sealed, sealed, and read back after a restart."""
    async with open_at(**QUICK) as journal:
        await fill(journal, 1, 3_300)
        again = await journal.append([fill_event(n) for n in range(1, 3_301)])
        assert set((await again.wait()).seqs) == {None}
    async with open_at(**QUICK) as journal:
        again = await journal.append([fill_event(n) for n in range(1, 3_301)])
        assert set((await again.wait()).seqs) == {None}
        assert journal.last_seq == 3_300


async def test_ids_of_retired_records_go(tmp_path: Path, open_at: OpenAt):
    """Segments without a record are emptied, so that ids do not outgrow the journal."""
    clock = SetClock("2026-01-02T03:04:06.000000Z")

    def count() -> int:
        connection = apsw.Connection(
            str(tmp_path / "state/journal.db"), flags=apsw.SQLITE_OPEN_READONLY
        )
        (ids,) = connection.execute("SELECT count(*) FROM sealed_ids").fetchall()[0]
        connection.close()
        return ids

    async with open_at(settings=keeping(), clock=clock, **QUICK) as journal:
        await fill(journal, 1, 3_000)
        await until(lambda: count() >= 2_500)
        clock.set(DAY_LATER)
        await until(lambda: count() == 0)
        assert journal.last_seq == 3_000


async def test_sealed_ids_can_be_released(tmp_path: Path, open_at: OpenAt):
    """An id that was sealed long ago is journalled once more, too."""
    async with open_at(**QUICK) as journal:
        await fill(journal, 1, 3_300)
        await journal.release_ids([fill_event(1).id])
        again = await journal.append([fill_event(1), fill_event(2), fill_event(1)])

        assert (3_301, None, None) == (await again.wait()).seqs
