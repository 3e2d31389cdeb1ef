"""Reading, checking and copying a journal from outside."""

from itertools import count
from pathlib import Path

import apsw
import msgspec
import pytest
import trio

from gateway.errors import JournalDamaged, StateDirectoryError
from gateway.events.model import Kind
from gateway.journal import Selection, event_table, open_reader, verify
from gateway.journal.database import connect_reader
from gateway.journal.records import Ledger
from gateway.journal.verify import _records
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import OpenAt
from tests.gateway.journal.crash import crashed, fill_one_by_one, flip


def seqs_of(directory: Path, wanted: Selection = Selection(), after: int = 0) -> list[int]:  # noqa: B008 - frozen
    """What a reader finds."""
    with open_reader(directory) as reader:
        return [record.seq for record in reader.select(after, wanted)]


async def test_a_running_journal_can_be_read(tmp_path: Path, open_at: OpenAt):
    """A reader beside the gateway sees every commit made so far."""
    async with open_at() as journal:
        await fill_one_by_one(journal, 1, 5)
        assert seqs_of(tmp_path / "state") == [1, 2, 3, 4, 5]
        with open_reader(tmp_path / "state") as reader:
            await fill_one_by_one(journal, 6, 6)
            assert [record.seq for record in reader.read(4, 10)] == [5, 6]


async def test_a_stopped_journal_can_be_read(tmp_path: Path, open_at: OpenAt):
    """After an orderly stop the records are there, and nothing is left lying about."""
    async with open_at() as journal:
        await fill_one_by_one(journal, 1, 5)

    assert seqs_of(tmp_path / "state") == [1, 2, 3, 4, 5]


async def test_a_killed_journal_can_be_read(tmp_path: Path, open_at: OpenAt):
    """What stands only in the WAL of a killed gateway is read too, and stays for its restart."""
    left = await crashed(open_at, tmp_path / "state", 5)

    assert seqs_of(left) == [1, 2, 3, 4, 5]
    async with open_at(left) as journal:
        assert journal.last_seq == 5


async def test_a_damaged_journal_is_not_read(tmp_path: Path, open_at: OpenAt):
    """A reader refuses what the gateway would refuse."""
    left = await crashed(open_at, tmp_path / "state", 5)
    flip(left / "journal.db-wal", 32 + 2_000)

    with pytest.raises(JournalDamaged, match="frame 1"):
        seqs_of(left)


def test_no_journal_is_said(tmp_path: Path):
    """A directory without a journal is named, instead of making one."""
    with pytest.raises(StateDirectoryError, match="holds no journal"):
        seqs_of(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_selections_agree_with_every_condition(tmp_path: Path, open_at: OpenAt):
    """Account, kind, symbol in either spelling and time narrow what is read."""
    async with open_at() as journal:
        events = [fill_event(n, account="a" if n % 2 else "b") for n in range(1, 7)]
        await (await journal.append(events)).wait()
        received_ns = (await journal.read(0, 1))[0].received_ns

    state = tmp_path / "state"
    assert seqs_of(state, Selection(account="a")) == [1, 3, 5]
    assert seqs_of(state, Selection(account="a"), after=1) == [3, 5]
    assert seqs_of(state, Selection(kind=Kind.ORDER)) == []
    assert seqs_of(state, Selection(symbol="ETH/BTC")) == seqs_of(
        state, Selection(symbol="eth_btc")
    )
    assert seqs_of(state, Selection(since_ns=received_ns)) == [1, 2, 3, 4, 5, 6]
    assert seqs_of(state, Selection(since_ns=received_ns + 1)) == []


async def test_the_newest_are_found_from_the_end(tmp_path: Path, open_at: OpenAt):
    """`select_last` gives the newest wanted records in order, over more than one step."""
    async with open_at() as journal:
        events = [fill_event(n, account="a" if n % 1_000 == 1 else "b") for n in range(1, 2_501)]
        await (await journal.append(events)).wait()

    with open_reader(tmp_path / "state") as reader:
        last = reader.select_last(2, Selection(account="a"))
        assert [record.seq for record in last] == [1_001, 2_001]
        assert [record.seq for record in reader.select_last(3)] == [2_498, 2_499, 2_500]
        assert reader.select_last(0) == []


async def test_info_tells_the_range(tmp_path: Path, open_at: OpenAt):
    """Epoch, range, times, size and sinks at a glance; an empty journal has no times."""
    async with open_at() as journal:
        with open_reader(tmp_path / "state") as reader:
            assert reader.info().first_received_ns is None
        await fill_one_by_one(journal, 1, 3)
        await journal.register_sink(
            "desk", "webhook", "latest", holds_retention=True, overflow="block"
        )
        with open_reader(tmp_path / "state") as reader:
            info = reader.info()
            assert (info.epoch, info.first_seq, info.last_seq) == (journal.epoch, 1, 3)
            assert info.first_received_ns == info.last_received_ns
            assert [position.name for position in info.sinks] == ["desk"]
            assert reader.seq_at(0) == 1
            assert reader.seq_at(info.last_received_ns + 1) == 4


async def test_a_backup_is_a_journal(tmp_path: Path, open_at: OpenAt):
    """A copy made while writing goes on opens elsewhere, sound, with an epoch of its own."""
    async with open_at() as journal:
        await fill_one_by_one(journal, 1, 50)

        async def write_on() -> None:
            await fill_one_by_one(journal, 51, 150)

        (tmp_path / "restored").mkdir()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_on)
            await journal.back_up(tmp_path / "restored/journal.db")
        epoch = journal.epoch

    assert verify(tmp_path / "restored").findings == ()
    async with open_at(tmp_path / "restored") as restored:
        assert 50 <= restored.last_seq <= 150
        assert restored.epoch != epoch
        records = await restored.read(0, 150)
        assert [r.event() for r in records] == [fill_event(n) for n in range(1, len(records) + 1)]


async def test_a_backup_over_a_live_journal_is_refused(tmp_path: Path, open_at: OpenAt):
    """A backup dropped beside the marker and WAL of another journal does not mix with them."""
    left = await crashed(open_at, tmp_path / "state", 5)
    async with open_at(tmp_path / "other") as journal:
        await journal.back_up(left / "copy.db")
    await trio.Path(left / "copy.db").replace(left / "journal.db")

    with pytest.raises(JournalDamaged):
        async with open_at(left):
            pass


async def test_verify_takes_the_end_as_it_was(
    tmp_path: Path, open_at: OpenAt, monkeypatch: pytest.MonkeyPatch
):
    """A record that is written behind the last one read is not taken for one that is missing."""
    async with open_at() as journal:
        await fill_one_by_one(journal, 1, 10)
    read_ledger, looks = event_table.read_ledger, count()

    def grown_since(connection: apsw.Connection) -> Ledger:
        ledger = read_ledger(connection)
        return msgspec.structs.replace(ledger, next_seq=ledger.next_seq + next(looks))

    monkeypatch.setattr(event_table, "read_ledger", grown_since)
    connection = connect_reader(tmp_path / "state" / "journal.db")
    assert [] == list(_records(connection))
    connection.close()


async def test_verify_beside_a_running_gateway(tmp_path: Path, open_at: OpenAt):
    """A check while the gateway writes finds nothing wrong with a sound journal."""
    async with open_at(segment_ids=200) as journal:
        for begin in range(1, 2_001, 100):
            await (await journal.append([fill_event(n) for n in range(begin, begin + 100)])).wait()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fill_one_by_one, journal, 2_001, 2_100)
            verdict = await trio.to_thread.run_sync(verify, tmp_path / "state")
    assert verdict.findings == ()
    assert verdict.records >= 2_000
