"""What is settled of a batch: each event once, the cursor never past an unsettled one."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.contracts.sink import ACCEPTED, Item, Later, Record, Refused, Verdict
from gateway.delivery.batch import Batch
from gateway.events.model import Kind

VERDICTS = st.sampled_from([ACCEPTED, Later(reason="busy"), Refused(reason="400")])


def item(seq: int) -> Item:
    """An event of that seq."""
    return Item(Record(seq, "0" * 32, Kind.FILL, "a", None, None, seq, b"", None), b"")


@given(st.data(), st.lists(st.booleans(), min_size=1, max_size=30))
def test_every_event_is_settled_exactly_once(data: st.DataObject, wanted: list[bool]):
    """However answers come, the steps cover the stretch without overlap, and add up."""
    after = 100
    seqs = range(after + 1, after + 1 + len(wanted))
    items = [item(seq) for seq, want in zip(seqs, wanted, strict=True) if want]
    batch = Batch(after, seqs[-1], items)
    fate: dict[int, Verdict] = {}
    cursor = after
    covered = 0
    while not batch.done:
        sent = batch.unsettled()
        verdicts = data.draw(st.lists(VERDICTS, min_size=len(sent), max_size=len(sent)))
        for one, verdict in zip(sent, verdicts, strict=True):
            assert one.record.seq not in fate
            if not isinstance(verdict, Later):
                fate[one.record.seq] = verdict
        batch.settle(verdicts, now_ns=0)
        step = batch.step()
        if step is not None:
            assert step.to_seq > cursor
            stretch = range(cursor + 1, step.to_seq + 1)
            refused = [r.item.record.seq for r in step.refused]
            assert refused == [s for s in stretch if isinstance(fate.get(s), Refused)]
            assert step.delivered == sum(fate.get(s) is ACCEPTED for s in stretch)
            covered += step.delivered + step.filtered + len(step.refused)
            cursor = step.to_seq
        assert batch.step() is None

    assert (cursor, covered) == (seqs[-1], len(wanted))
    assert set(fate) == {one.record.seq for one in items}


def test_filtered_events_behind_the_last_wait_are_covered():
    """Events that nobody wants are passed with the wanted one before them."""
    batch = Batch(0, 10, [item(3)])
    batch.settle([Later(reason="busy")], now_ns=5)
    first = batch.step()
    batch.settle([ACCEPTED], now_ns=6)
    second = batch.step()

    assert first is not None
    assert (first.to_seq, first.filtered, first.delivered) == (2, 2, 0)
    assert second is not None
    assert (second.to_seq, second.filtered, second.delivered) == (10, 7, 1)
    assert (batch.attempts, batch.first_try_ns, batch.done) == (2, 5, True)
