"""What is new in a report."""

from collections.abc import Callable
from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accounts.book import TIDY_EVERY, Book
from gateway.accounts.ended import AGREED_SLACK_NS, ENDED_KEPT, ENDED_KEPT_NS, ENDED_MOST
from gateway.accounts.news import Heard, News
from gateway.accounts.oddities import TEXTS_KEPT
from gateway.accounts.orders import Reconcile
from gateway.accounts.rows import Rows
from gateway.contracts.told import Mark, Told, ToldUnrecognized
from gateway.events.model import Fill, Kind, Order, Origin
from gateway.events.numbers import plain
from gateway.telemetry.redaction import Redactor
from tests.doubles import reports
from tests.doubles.reports import balance, fill, ns, order, position


class Ledger:
    """A book, and the journal's part: rows kept, ids taken once."""

    def __init__(self, reconcile: Reconcile = reports.reconcile) -> None:
        self.rows: dict[tuple[str, str], bytes] = {}
        self.ids: list[str] = []
        self.redactor = Redactor()
        self._reconcile = reconcile
        self.reopen()

    def reopen(self) -> None:
        """A restart: only the rows survive."""
        self.book = Book("a", "v", reconcile=self._reconcile, redactor=self.redactor)
        rows: Rows = dict(self.rows)
        self.book.load(rows)

    def push(self, *told: Told, at: int = 1000) -> News:
        """Hear a push `at` milliseconds."""
        return self._keep(told, Heard(origin=Origin.PUSH, received_ns=ns(at)))

    def read(
        self,
        *told: Told,
        sent: int = 1000,
        since: int | None = None,
        origin: Origin = Origin.RECOVERY,
    ) -> News:
        """Hear a REST answer to a request `sent` at that time; it took a second."""
        heard = Heard(
            origin=origin,
            received_ns=ns(sent + 1000),
            now_ns=ns(sent + 1000),
            as_of_ns=ns(sent),
            since_ns=None if since is None else ns(since),
        )
        return self._keep(told, heard)

    def order(self) -> Order:
        """What is known of the order that most reports are about."""
        known = self.book.orders.find("o1")
        assert known is not None
        return known.order

    def _keep(self, told: tuple[Told, ...], heard: Heard) -> News:
        news = self.book.apply(told, heard)
        for _, section, key, value in news.changes:
            if value is None:
                self.rows.pop((section, key), None)
            else:
                self.rows[section, key] = value
        news.events = [event for event in news.events if event.id not in self.ids]
        self.ids += [event.id for event in news.events]
        return news


def summary(news: News) -> list[str]:
    """Kind and gist of each event."""
    gists = []
    for event in news.events:
        body = event.body
        if isinstance(body, Order):
            gists.append(f"order {body.status} {body.filled_quantity}")
        elif isinstance(body, Fill):
            gists.append(f"fill {body.quantity}")
        else:
            gists.append(event.kind.value)
    return gists


def test_an_order_then_its_derived_fill():
    """A push on first sight derives its fills from zero, and the order comes before the fill."""
    assert summary(Ledger().push(order(filled="3", status="partially_filled"))) == [
        "order partially_filled 3",
        "fill 3",
    ]


def test_a_repeat_is_counted_and_not_told_again():
    """The same report twice gives one event and one duplicate."""
    ledger = Ledger()
    ledger.push(order())

    again = ledger.push(order())

    assert (summary(again), again.duplicate) == ([], 1)


def test_a_final_order_never_reopens():
    """After the end, earlier states are stale however they are timed."""
    ledger = Ledger()
    ledger.push(order(status="filled", filled="10", time=5))

    late = ledger.push(order(status="partially_filled", filled="3", time=9))

    assert (summary(late), late.stale) == ([], 1)


def test_cumulative_quantities_never_shrink():
    """A smaller cumulative quantity is stale even with a later time."""
    ledger = Ledger()
    ledger.push(order(status="partially_filled", filled="5", time=5))

    assert ledger.push(order(status="partially_filled", filled="3", time=9)).stale == 1


def test_growth_is_news_even_with_an_earlier_time():
    """A larger cumulative quantity is believed over the time stamp."""
    ledger = Ledger()
    ledger.push(order(status="partially_filled", filled="3", time=5))

    assert summary(ledger.push(order(status="partially_filled", filled="5", time=4))) == [
        "order partially_filled 5",
        "fill 2",
    ]


def test_a_state_that_comes_back_is_a_new_event():
    """A return to an earlier state is told with an id of its own; a repeat of it is not."""
    ledger = Ledger()
    seen = [
        ledger.push(order(status="new", time=1)),
        ledger.push(order(status="pending_cancel", time=2)),
        ledger.push(order(status="new", time=3)),
    ]

    assert [summary(news) for news in seen] == [
        ["order new 0"],
        ["order pending_cancel 0"],
        ["order new 0"],
    ]
    assert summary(ledger.push(order(status="new", time=3))) == []


def test_nothing_is_derived_twice_after_a_restart():
    """The mark lives in the rows: a restarted book derives only what was added since."""
    ledger = Ledger()
    ledger.push(order(status="partially_filled", filled="3", time=1))
    ledger.reopen()

    assert summary(ledger.push(order(status="filled", filled="10", time=2))) == [
        "order filled 10",
        "fill 7",
    ]


def test_a_late_trade_is_still_a_fill():
    """A trade behind a newer state is a fill; only its order state is stale."""
    ledger = Ledger(reports.reconcile_with_trades)
    ledger.push(order(status="filled", filled="10", time=5, trade=fill(fill_id="t2", quantity="7")))

    late = ledger.push(
        order(status="partially_filled", filled="3", time=4, trade=fill(quantity="3"))
    )

    assert (summary(late), late.stale) == (["fill 3"], 1)


def test_a_jump_past_the_trade_asks_for_the_missing_ones():
    """Where the cumulative quantity grew by more than the trade told, REST must be asked."""
    ledger = Ledger(reports.reconcile_with_trades)
    ledger.push(order(time=1))

    jump = ledger.push(order(status="partially_filled", filled="5", time=2, trade=fill()))

    assert jump.trades_missing == ["o1"]


def test_a_double_of_an_older_trade_without_quantity_is_no_event():
    """Where pushes tell no cumulative quantity, the trade id guards against adding twice."""
    ledger = Ledger(reports.reconcile_with_trades)
    first = order(status="partially_filled", filled=None, time=1, trade=fill(fill_id="t1"))
    ledger.push(first)
    ledger.push(order(status="partially_filled", filled=None, time=1, trade=fill(fill_id="t2")))

    assert summary(ledger.push(first)) == []


def test_fills_learn_the_side_from_their_order():
    """A fill whose report tells no side takes it from the known order."""
    ledger = Ledger(reports.reconcile_with_trades)
    ledger.push(order(client_order_id="mine"))

    body = ledger.push(fill()).events[0].body

    assert isinstance(body, Fill)
    assert (body.side, body.client_order_id) == ("buy", "mine")


# --- REST -----------------------------------------------------------------------


def test_a_snapshot_sets_the_baseline():
    """At the first start an open order's earlier fills are not derived, later ones are."""
    ledger = Ledger()
    snapshot = ledger.read(
        order(status="partially_filled", filled="3"), origin=Origin.SNAPSHOT, sent=1000
    )

    assert summary(snapshot) == ["order partially_filled 3"]
    assert summary(ledger.push(order(status="filled", filled="10", time=9))) == [
        "order filled 10",
        "fill 7",
    ]


def test_recovery_derives_from_zero_what_began_in_the_gap():
    """An order created after `since` is derived whole."""
    found = Ledger().read(
        order(status="filled", filled="10", time=60_000, created_time=reports.at(50_000)),
        since=40_000,
    )

    assert summary(found) == ["order filled 10", "fill 10"]
    assert found.uncertain == []


def test_recovery_says_when_it_cannot_tell():
    """An older order seen first by recovery derives nothing and makes the recovery uncertain."""
    found = Ledger().read(
        order(status="filled", filled="10", time=60_000, created_time=reports.at(0)), since=40_000
    )

    assert summary(found) == ["order filled 10"]
    assert found.uncertain == ["o1"]


def test_recovery_starts_at_the_baseline_that_the_adapter_found():
    """With a baseline only what came after it is derived."""
    found = Ledger().read(
        order(status="filled", filled="10", time=60_000, baseline=Mark(plain("4"))), since=40_000
    )

    assert summary(found) == ["order filled 10", "fill 6"]


def test_spanned_fills_are_derived_once():
    """Executions found by REST move the mark: the order's state then derives nothing more."""
    ledger = Ledger()
    ledger.push(order(status="partially_filled", filled="2", time=1))
    found = ledger.read(
        fill(fill_id=None, quantity="2", span=("0", "2")),
        fill(fill_id=None, quantity="3", span=("2", "5")),
        order(status="partially_filled", filled="5", time=2),
    )

    assert summary(found) == ["fill 3", "order partially_filled 5"]
    assert found.duplicate == 1


def test_spanned_fills_may_come_before_their_order():
    """Executions of an order that was never seen are remembered until the order's state comes."""
    ledger = Ledger()
    ledger.read(fill(fill_id=None, quantity="5", span=("0", "5")))
    ledger.reopen()

    assert summary(ledger.read(order(status="partially_filled", filled="5", time=2))) == [
        "order partially_filled 5"
    ]


def test_a_spanned_fill_is_clipped_at_the_mark():
    """Where a span overlaps what was derived, only the rest is a fill."""
    ledger = Ledger()
    ledger.push(order(status="partially_filled", filled="3", time=1))

    assert summary(ledger.read(fill(fill_id=None, quantity="5", span=("0", "5")))) == ["fill 2"]


def test_history_before_the_gap_is_no_find():
    """Orders and fills that ended before `since` are not told by a recovery."""
    found = Ledger().read(
        order(status="filled", filled="10", time=0),
        fill("o2", time=0),
        since=60_000,
    )

    assert summary(found) == []


def test_an_answer_older_than_a_push_changes_nothing():
    """REST asked before a push arrived cannot take its state back."""
    ledger = Ledger()
    ledger.push(order(status="pending_cancel", time=5), at=2000)

    assert ledger.read(order(status="new", time=1), sent=1500).stale == 1
    assert summary(ledger.read(order(status="new", time=1), sent=2500)) == ["order new 0"]


def test_rest_repeats_a_state_that_a_push_told_in_other_words():
    """A push without cumulative quantity and the same state by REST are one; the rest is learnt."""
    ledger = Ledger(reports.reconcile_with_trades)
    ledger.push(order(time=1, side=None, quantity=None))
    ledger.push(order(status="partially_filled", filled=None, time=2, trade=fill(), side=None))

    repeat = ledger.read(order(status="partially_filled", filled="1", time=2), sent=2000)

    assert (summary(repeat), repeat.duplicate) == ([], 1)
    assert ledger.order().side == "buy"


def test_a_clock_that_was_set_back_does_not_silence_rest():
    """A state stamped in the future is not newer than an answer that is read now."""
    ledger = Ledger()
    ledger.push(order(status="pending_cancel", time=5), balance("1", time=5), at=3_600_000)

    found = ledger.read(order(status="new", time=1), balance("2", time=None), sent=1000)

    assert summary(found) == ["order new 0", "balance"]


# --- balances and positions -----------------------------------------------------


@pytest.mark.parametrize("make", [balance, position])
def test_states_follow_the_venue_clock(make: Callable[..., Told]):
    """An older state is not news, a newer one is."""
    ledger = Ledger()

    assert len(ledger.push(make("2", time=5)).events) == 1
    assert len(ledger.push(make("1", time=4)).events) == 0
    assert len(ledger.push(make("1", time=6)).events) == 1


@pytest.mark.parametrize("make", [balance, position])
def test_rest_states_are_news_only_where_they_differ(make: Callable[..., Told]):
    """A state without a time is an event when its values differ, each time with another id."""
    ledger = Ledger()
    ledger.push(make("1", time=5), at=100)

    assert ledger.read(make("1", time=None), sent=1000).events == []
    assert len(ledger.read(make("2", time=None), sent=2000).events) == 1
    assert len(ledger.read(make("1", time=None), sent=3000).events) == 1
    assert len(ledger.read(make("2", time=None), sent=4000).events) == 1


@pytest.mark.parametrize("make", [balance, position])
def test_a_repeat_of_a_replaced_state_leaves_the_book_as_told(make: Callable[..., Told]):
    """The book never believes a state that the journal drops, so REST still finds the error."""
    ledger = Ledger()
    ledger.push(make("2", time=5), at=100)
    ledger.push(make("1", time=5), at=200)

    assert ledger.push(make("2", time=5), at=300).duplicate == 1
    ledger.reopen()
    assert ledger.push(make("2", time=5), at=400).duplicate == 1
    assert len(ledger.read(make("2", time=None), sent=1000).events) == 1


@pytest.mark.parametrize("make", [balance, position])
def test_a_push_older_than_the_last_is_late_after_a_reading_too(make: Callable[..., Told]):
    """A reading that tells no time does not let older pushes, or repeats, overrule it."""
    ledger = Ledger()
    ledger.push(make("1", time=5), at=100)
    ledger.read(make("3", time=None), sent=1000)

    assert ledger.push(make("2", time=4), at=2100).events == []
    assert ledger.push(make("1", time=5), at=2200).events == []
    assert len(ledger.push(make("4", time=5), at=2300).events) == 1


@pytest.mark.parametrize("make", [balance, position])
def test_a_reading_of_a_millisecond_stands_over_its_late_pushes(make: Callable[..., Told]):
    """Pushes that lay in a full socket while REST told how that millisecond ended are older."""
    ledger = Ledger()
    ledger.push(make("1", time=4), at=100)
    assert len(ledger.read(make("4", time=5), sent=1000).events) == 1

    assert ledger.push(make("2", time=5), at=2100).events == []
    ledger.reopen()
    assert ledger.push(make("3", time=5), at=2200).events == []
    assert ledger.push(make("4", time=5), at=2300).events == []
    assert len(ledger.push(make("5", time=6), at=2400).events) == 1


@pytest.mark.parametrize("make", [balance, position])
def test_a_reading_heals_what_late_pushes_replaced(make: Callable[..., Told]):
    """A state that REST tells anew, asked after all pushes, is news though it was told before."""
    ledger = Ledger()
    ledger.push(make("1", time=5), at=100)
    ledger.push(make("2", time=5), at=200)

    assert ledger.read(make("1", time=5), sent=150).events == []
    assert len(ledger.read(make("1", time=5), sent=1000).events) == 1
    assert ledger.read(make("1", time=5), sent=3000).events == []


@pytest.mark.parametrize("make", [balance, position])
def test_a_venue_clock_that_was_set_back_does_not_silence_pushes(make: Callable[..., Told]):
    """After a reading, the time of a state stamped in the future binds no push."""
    ledger = Ledger()
    ledger.push(make("1", time=3_600_000), at=100)
    ledger.read(make("2", time=None), sent=1000)

    assert len(ledger.push(make("3", time=2100), at=2100).events) == 1


@pytest.mark.parametrize("make", [balance, position])
def test_rest_states_asked_for_before_a_push_are_old(make: Callable[..., Told]):
    """A push received after the request was sent is newer than the answer."""
    ledger = Ledger()
    ledger.push(make("1", time=5), at=2000)

    assert ledger.read(make("2", time=None), sent=1500).events == []


@pytest.mark.parametrize("make", [balance, position])
def test_a_snapshot_leaves_out_what_is_empty(make: Callable[..., Told]):
    """An asset or contract that was never held makes no event."""
    assert Ledger().read(make("0", time=None), origin=Origin.SNAPSHOT).events == []


def test_a_position_that_closed_is_told():
    """A known position that REST shows as flat is news."""
    ledger = Ledger()
    ledger.push(position("3"), at=100)

    assert summary(ledger.read(position("0", time=None), sent=1000)) == ["position"]


# --- the rest ---------------------------------------------------------------------


def unrecognized(text: str) -> ToldUnrecognized:
    """A frame that nobody understands."""
    return ToldUnrecognized(reason="not_json", frame=text)


def test_each_repeat_of_an_unknown_frame_is_an_event():
    """The same text three times, with a restart between, is three events."""
    ledger = Ledger()
    ledger.push(unrecognized("?"), unrecognized("?"))
    ledger.reopen()
    ledger.push(unrecognized("?"))

    assert len(set(ledger.ids)) == 3


def test_counts_of_unknown_frames_stay_bounded():
    """A flood of distinct texts starts a new generation of counts, and none is lost for it."""
    ledger = Ledger()
    for number in range(TEXTS_KEPT + 1):
        ledger.push(unrecognized(str(number)))
    ledger.push(unrecognized("0"))

    assert len(ledger.ids) == TEXTS_KEPT + 2
    assert sum(section == "unrecognized" for section, _ in ledger.rows) < 10


def test_known_secrets_never_reach_an_event():
    """Secrets of the account are replaced in raw texts and kept frames."""
    ledger = Ledger()
    ledger.redactor.add("CANARY-9f31")

    event = ledger.push(unrecognized("key=CANARY-9f31")).events[0]

    assert "CANARY" not in str(event)


def test_final_orders_leave_the_book_after_days_open_ones_never():
    """Ageing drops ended orders and their rows; an open order stays for good."""
    ledger = Ledger()
    ledger.push(order("done", status="canceled"), order("open"), at=0)
    much_later = ENDED_KEPT_NS // 1_000_000 + 1000
    for _ in range(TIDY_EVERY):
        ledger.push(balance(time=None), at=much_later)

    assert ledger.book.orders.find("done") is None
    assert ledger.book.orders.find("open") is not None
    assert ("order", "done") not in ledger.rows
    assert ("order", "open") in ledger.rows


def end_orders(book: Book, count: int) -> set[str]:
    """End so many orders, a second after the epoch; the ids that the book let go of."""
    gone: set[str] = set()
    heard = Heard(origin=Origin.PUSH, received_ns=ns(1000))
    for first in range(0, count, TIDY_EVERY):
        ended = [order(str(first + n), status="canceled") for n in range(TIDY_EVERY)]
        gone |= {key for _, _, key, row in book.apply(ended, heard).changes if row is None}
    return gone


def make_book(agreed_ns: int) -> Book:
    """A book with one open order, and what REST last agreed with."""
    book = Book("a", "v", reconcile=reports.reconcile, redactor=Redactor())
    book.apply([order("open")], Heard(origin=Origin.PUSH, received_ns=ns(1000)))
    book.agreed_ns = agreed_ns
    return book


def test_of_many_final_orders_the_latest_stay():
    """Beyond the number kept, those that ended first go, from memory and from the rows."""
    book = make_book(agreed_ns=ns(1000) + AGREED_SLACK_NS + 1)

    assert end_orders(book, ENDED_KEPT + TIDY_EVERY) == {str(n) for n in range(TIDY_EVERY)}
    assert book.orders.find("0") is None
    assert book.orders.find(str(TIDY_EVERY)) is not None
    assert book.orders.find("open") is not None


def test_final_orders_stay_while_a_reading_may_list_them():
    """What ended since REST last agreed stays, up to a bound: else it would be news again."""
    book = make_book(agreed_ns=ns(1000))

    assert end_orders(book, ENDED_MOST) == set()
    assert end_orders(make_book(agreed_ns=0), ENDED_MOST + TIDY_EVERY) == {
        str(n) for n in range(TIDY_EVERY)
    }


def test_an_agreement_outlives_a_restart():
    """A restarted book knows from its rows which orders no reading will list."""
    ledger = Ledger()
    ledger.rows["stream", "agreed"] = msgspec.msgpack.encode(ns(5000))
    ledger.reopen()

    assert ledger.book.agreed_ns == ns(5000)


@given(st.sampled_from(["canceled", "filled"]), st.integers(0, 9))
def test_an_order_is_known_after_its_end_as_before(status: str, filled: int):
    """Packed away, an order that ended is still all that was known of it, but for old ids."""
    ledger = Ledger()
    ledger.push(order(status="new", side="sell"), order(status=status, filled=str(filled)))
    before = ledger.book.orders.known["o1"]
    ledger.push(*[balance(time=None)] * TIDY_EVERY)

    assert "o1" not in ledger.book.orders.known
    expected = msgspec.structs.replace(before, ids_here=before.ids_here[-2:])
    assert ledger.book.orders.find("o1") == expected
    ledger.reopen()
    assert ledger.book.orders.find("o1") == expected


def test_a_final_order_that_was_packed_never_reopens():
    """A late push of an order that ended long before is stale, and more fills are told once."""
    ledger = Ledger()
    ledger.push(order(status="canceled", filled="3", time=2))
    ledger.push(*[balance(time=None)] * TIDY_EVERY)

    assert ledger.push(order(status="new", time=1)).stale == 1
    assert summary(ledger.push(order(status="canceled", filled="4", time=3))) == [
        "order canceled 4",
        "fill 1",
    ]
    ledger.push(*[balance(time=None)] * TIDY_EVERY)
    assert ledger.push(order(status="canceled", filled="4", time=3)).stale == 1


STATES = [
    order(status="new", filled="0", time=1),
    order(status="partially_filled", filled="3", time=2),
    order(status="partially_filled", filled="7", time=3),
    order(status="filled", filled="10", time=4),
]


def test_any_order_of_arrival_ends_in_the_same_state():
    """Late, doubled and out-of-order reports: the end is final, and fills sum to the quantity."""
    for arrival in permutations(STATES):
        ledger = Ledger()
        events = [e for told in (*arrival, *arrival) for e in ledger.push(told).events]
        filled = sum(int(e.body.quantity) for e in events if isinstance(e.body, Fill))

        assert ledger.order().status == "filled"
        assert filled == 10


arrivals = st.lists(
    st.sampled_from([*STATES, order(status="canceled", filled="7", time=9)]), max_size=12
)


@given(arrivals, st.integers(0, 12))
def test_no_quantity_is_ever_derived_twice(arrival: list[Told], restart_at: int):
    """In any order of arrival, with a restart anywhere, fills sum to the cumulative quantity."""
    ledger = Ledger()
    total = 0
    for index, told in enumerate(arrival):
        if index == restart_at:
            ledger.reopen()
        for event in ledger.push(told, at=index).events:
            if event.kind is Kind.FILL:
                assert isinstance(event.body, Fill)
                total += int(event.body.quantity)
        assert str(total) == ledger.order().filled_quantity
