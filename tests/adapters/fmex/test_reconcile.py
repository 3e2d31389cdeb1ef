from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fmex.reconcile import price_between, reconcile
from gateway.contracts.told import KnownOrder, Mark, Reconciled, ToldFill, ToldOrder
from gateway.events.identity import derived_fill_facts
from gateway.events.model import Order, OrderStatus, Side
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp

D = PlainDecimal


def told(
    filled: str | None,
    average: str | None = None,
    fee: str | None = None,
    *,
    symbol: str = "BTCUSD_P",
    baseline: Mark | None = None,
) -> ToldOrder:
    """A report of an order of a hundred contracts."""
    return ToldOrder(
        order=Order(
            order_id="7",
            status=OrderStatus.PARTIALLY_FILLED,
            venue_status="PARTIAL_FILLED",
            final=False,
            side=Side.SELL,
            quantity=D("100"),
            filled_quantity=None if filled is None else D(filled),
            average_price=None if average is None else D(average),
            fee=None if fee is None else D(fee),
            fee_currency="BTC",
        ),
        symbol="BTC/USD:BTC",
        venue_symbol=symbol,
        venue_time=Timestamp("2020-02-04T07:43:24.232Z"),
        raw="the frame",
        baseline=baseline,
    )


def known_after(report: ToldOrder, result: Reconciled) -> KnownOrder:
    """What the book holds then."""
    return KnownOrder(
        order=result.order,
        venue_symbol=report.venue_symbol,
        mark=result.mark,
        event_id="x",
        received_ns=0,
    )


def follow(*reports: ToldOrder) -> list[ToldFill]:
    """The fills that a series of states gives."""
    known: KnownOrder | None = None
    fills: list[ToldFill] = []
    for report in reports:
        result = reconcile(known, report)
        fills += result.derived
        known = known_after(report, result)
    return fills


def test_first_sight_derives_from_zero():
    """The first push of an order gives one fill, at the price and fee that it tells."""
    [fill] = follow(told("3", "9288.0", "4.5"))

    assert (
        fill.fill.price,
        fill.fill.quantity,
        fill.fill.fee,
        fill.fill.side,
        fill.fill.derived,
    ) == ("9288.0", "3", "4.5", Side.SELL, True)
    assert (fill.span, fill.raw, fill.symbol) == (("0", "3"), "the frame", "BTC/USD:BTC")


def test_nothing_filled_gives_no_fill():
    """An order in the book has executed nothing."""
    result = reconcile(None, told("0", None, "0"))

    assert result.derived == ()
    assert not result.trades_missing


def test_second_part_of_an_inverse_contract():
    """The price of the new part follows from the harmonic mean: 2 at 8000 and 2 at 12000."""
    _, fill = follow(told("2", "8000", "0.1"), told("4", "9600", "0.25"))

    assert (fill.fill.price, fill.fill.quantity, fill.fill.fee) == ("12000", "2", "0.15")
    assert fill.span == ("2", "4")


def test_computed_price_has_eighteen_decimals():
    """A price that does not end is rounded half-even after 18 decimals, to no tick."""
    _, fill = follow(told("1", "9000"), told("3", "9100.5"))

    exact = Decimal(2 * 9000) * Decimal("9100.5") / (3 * Decimal(9000) - Decimal("9100.5"))
    assert abs(Decimal(fill.fill.price) - exact) < Decimal("1e-18")
    assert len(fill.fill.price.partition(".")[2]) == 18


def test_rebates_and_fees_are_differences():
    """A falling cumulative fee is a rebate: negative."""
    _, fill = follow(told("1", "100", "0.1"), told("2", "100", "0.05"))

    assert fill.fill.fee == "-0.05"


def test_same_state_again_derives_nothing():
    """A repeated or older quantity never derives the same part twice."""
    assert len(follow(told("3", "9"), told("3", "9"), told("2", "9"), told("3", "9"))) == 1


def test_missed_states_give_one_fill_over_the_whole_part():
    """Whatever was missed in between is one derived fill, from mark to state."""
    first, second = follow(told("1", "100"), told("9", "100"))

    assert (first.span, second.span) == (("0", "1"), ("1", "9"))


@pytest.mark.parametrize("average", ["100000", None])
def test_contradiction_asks_for_the_executions(average: str | None):
    """Where averages contradict each other, no price is made up and the mark stays."""
    before = reconcile(None, told("90", "100"))
    report = told("91", average)
    known = known_after(report, before)
    known = msgspec.structs.replace(known, order=told("90").order)

    result = reconcile(known, report)

    assert (result.derived, result.trades_missing, result.mark.quantity) == ((), True, "90")


def test_unknown_contract_asks_for_the_executions():
    """Of a contract that nobody described, only the first part has a known price."""
    first = told("1", "100", symbol="ETHUSD_P")
    result = reconcile(None, first)
    assert len(result.derived) == 1

    report = told("2", "101", symbol="ETHUSD_P")
    assert reconcile(known_after(first, result), report).trades_missing


def test_part_before_a_recovery_is_not_derived():
    """The baseline of a recovery stands for what is accounted for."""
    assert reconcile(None, told("5", "100", baseline=Mark(D("5"), D("100")))).derived == ()
    [fill] = reconcile(None, told("5", "100", baseline=Mark(D("2"), D("100")))).derived
    assert fill.span == ("2", "5")


def test_baseline_above_the_known_mark_counts():
    """Executions handed over before the order are accounted for by its baseline."""
    first = told("2", "100")
    known = known_after(first, reconcile(None, first))

    result = reconcile(known, told("5", "100", baseline=Mark(D("5"), D("100"))))

    assert (result.derived, result.mark.quantity) == ((), "5")


def test_mark_without_average_learns_it():
    """A mark set by counted executions takes average and fee from the next state."""
    first = told("2", "100", "0.1")
    known = msgspec.structs.replace(known_after(first, reconcile(None, first)), mark=Mark(D("2")))

    assert Mark(D("2"), D("100"), D("0.1")) == reconcile(known, first).mark


def test_missing_fields_are_completed_from_what_is_known():
    """A sparse report keeps what earlier ones told, but no trigger that is gone."""
    first = told("2", "100", "0.1")
    first = msgspec.structs.replace(
        first, order=msgspec.structs.replace(first.order, trigger_price=D("90"))
    )
    known = known_after(first, reconcile(None, first))
    sparse = Order(
        order_id="7",
        status=OrderStatus.PARTIALLY_FILLED,
        venue_status="PARTIAL_FILLED",
        final=False,
        remaining_quantity=D("97"),
    )

    order = reconcile(known, msgspec.structs.replace(first, order=sparse)).order

    assert (
        order.quantity,
        order.filled_quantity,
        order.side,
        order.fee_currency,
        order.trigger_price,
    ) == ("100", "3", Side.SELL, "BTC", None)


def test_average_is_not_carried_over_new_fills():
    """An older row without average and fee does not inherit those of fewer contracts."""
    first = told("2", "100", "0.1")
    known = known_after(first, reconcile(None, first))

    result = reconcile(known, told("5"))

    assert (None, None, True) == (
        result.order.average_price,
        result.order.fee,
        result.trades_missing,
    )
    assert ("100", "0.1") == (
        reconcile(known, told("2")).order.average_price,
        reconcile(known, told("2")).order.fee,
    )


executions = st.lists(
    st.tuples(st.integers(1, 1000), st.integers(1, 200_000), st.integers(-100, 100)),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize("inverse", [True, False])
@given(rows=executions)
def test_prices_of_parts_come_back(inverse: bool, rows: list[tuple[int, int, int]]):
    """From states with exact averages the price of each execution comes back."""
    quantity, worth, before = 0, Decimal(0), Mark(D("0"))
    for amount, ticks, _ in rows:
        price = Decimal(ticks) / 2
        quantity += amount
        worth += amount / price if inverse else amount * price
        average = quantity / worth if inverse else worth / quantity
        after = Mark(D(str(quantity)), D(f"{average:.40f}"))
        derived = price_between(before, after, inverse=inverse)
        assert derived is not None
        assert abs(Decimal(derived) / price - 1) < Decimal("1e-12")
        before = after


@given(rows=executions, cuts=st.sets(st.integers(0, 7)))
def test_each_contract_is_derived_once(rows: list[tuple[int, int, int]], cuts: set[int]):
    """Spans join without hole or overlap whatever pushes are missed or repeated."""
    filled, fee, worth, reports = 0, 0, Decimal(0), []
    for index, (amount, ticks, cost) in enumerate(rows):
        filled, fee, worth = filled + amount, fee + cost, worth + amount / (Decimal(ticks) / 2)
        if index not in cuts or index == len(rows) - 1:
            report = told(str(filled), f"{filled / worth:.18f}", str(fee))
            reports += [report, report]

    spans = [fill.span for fill in follow(*reports)]

    assert spans[0] is not None
    assert ("0", str(filled)) == (spans[0][0], (spans[-1] or ("", ""))[1])
    assert all(left and right and left[1] == right[0] for left, right in pairwise(spans))
    facts = {derived_fill_facts("7", *span) for span in spans if span is not None}
    assert len(facts) == len(spans)
