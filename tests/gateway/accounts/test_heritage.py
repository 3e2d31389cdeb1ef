"""A book brought up to date by events is the book that told them."""

from itertools import count

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.book import Book
from gateway.accounts.heritage import inherit, without_history
from gateway.accounts.news import Heard, News
from gateway.accounts.rows import Section, StreamKey, load_stream
from gateway.contracts.told import Told
from gateway.events.model import Event, Origin, Stream, StreamReason, StreamStatus
from gateway.events.times import to_nanoseconds
from gateway.telemetry.redaction import Redactor
from tests.doubles import reports
from tests.doubles.events import stream_event
from tests.doubles.reports import balance, fill, order, position

STEPS = st.lists(
    st.one_of(
        st.builds(
            lambda number, filled: order(
                f"o{number}",
                "filled" if filled == 10 else "partially_filled" if filled else "new",
                str(filled),
                time=None,
            ),
            st.integers(1, 3),
            st.integers(0, 10),
        ),
        st.builds(lambda held: balance("5", str(held)), st.integers(0, 3)),
        st.builds(lambda held: position(str(held)), st.integers(0, 3)),
    ),
    max_size=30,
)


class Owner:
    """A book with its rows and the events that it told."""

    def __init__(self, rows: dict[tuple[str, str], bytes] | None = None) -> None:
        self.rows = dict(rows or {})
        self.book = Book("a", "v", reconcile=reports.reconcile, redactor=Redactor())
        self.book.load(self.rows)

    def hear(self, told: reports.ToldOrder, at: int) -> list[Event]:
        """Take a push; the events that follow."""
        return self._take([told], Heard(origin=Origin.PUSH, received_ns=reports.ns(at)))

    def read(self, told: list[Told], at: int) -> list[Event]:
        """Take what REST told; the events that follow."""
        now = reports.ns(at)
        return self._take(told, Heard(origin=Origin.RECOVERY, received_ns=now, as_of_ns=now))

    def _take(self, told: list[Told], heard: Heard) -> list[Event]:
        news: News = self.book.apply(told, heard)
        for _, section, key, value in news.changes:
            if value is None:
                self.rows.pop((section, key), None)
            else:
                self.rows[section, key] = value
        return news.events


@given(STEPS, STEPS, STEPS)
def test_an_heir_tells_what_the_owner_would_have_told(before: list, since: list, after: list):
    """From an older copy and the events since, a new owner derives just what the old one would."""
    owner, clock = Owner(), count(1)
    for told in before:
        owner.hear(told, next(clock))
    copy = dict(owner.rows)
    tail = [event for told in since for event in owner.hear(told, next(clock))]

    heir = Owner(inherit(copy, tail))

    for told in after:
        at = next(clock)
        assert [e.id for e in owner.hear(told, at)] == [e.id for e in heir.hear(told, at)]


def test_fills_that_stand_before_their_order_are_accounted_for():
    """REST tells an order's fills first and then its state; an heir tells none of them again."""
    owner = Owner()
    owner.hear(order("o1", "partially_filled", "3"), 1)
    copy = dict(owner.rows)
    seen = [fill("o1", None, "4", time=2, span=("3", "7")), order("o1", "partially_filled", "7")]
    tail = [*owner.read(seen, 5), *owner.hear(order("o1", "partially_filled", "9", time=6), 6)]
    assert [event.kind for event in tail] == ["fill", "order", "order", "fill"]

    heir = Owner(inherit(copy, tail))

    again = fill("o1", None, "4", time=2, span=("3", "7"))
    assert not heir.read([again], 7)


def test_what_ended_long_ago_is_not_handed_on():
    """Open orders and those that ended lately are handed on, older ones and ownerships are not."""
    owner = Owner()
    owner.hear(order("old", "filled", "10"), 0)
    owner.hear(order("open", "new", "0"), 0)
    owner.hear(order("fresh", "filled", "10"), 3_500_000)
    owner.rows[Section.OWNERSHIP.value, "1"] = b"\x01"

    left = without_history(owner.rows, reports.ns(3_700_000))

    assert {"open", "fresh"} == {key for section, key in left if section == "order"}
    assert Section.OWNERSHIP.value not in {section for section, _ in left}


def test_a_stream_that_said_live_was_alive_then():
    """Where nothing was pushed, a gap can still begin: when the stream was last said to live."""
    live = Stream(status=StreamStatus.LIVE, reason=StreamReason.SUBSCRIBED)
    said = msgspec.structs.replace(stream_event(1), body=live)

    rows = inherit({}, [said])

    assert to_nanoseconds(said.received_time) == load_stream(rows, StreamKey.LIFE, int)
