import msgspec
import pytest

from adapters.fmex.executions import count_executions, explain
from adapters.fmex.frames import NotUnderstood
from adapters.fmex.normalise import read_frame
from gateway.contracts.told import ToldOrder
from gateway.events.identity import derived_fill_facts
from gateway.events.model import Liquidity
from gateway.events.numbers import PlainDecimal

ORDER = (
    '{"type":"order.btcusd_p","order":{"id":7,"status":"PARTIAL_FILLED","direction":"SHORT",'
    '"symbol":"BTCUSD_P","quantity":10,"unfilled_quantity":%d},"ts":1}'
)


def order(unfilled: int) -> ToldOrder:
    """An order of ten contracts, so many of them unfilled."""
    heard = read_frame(ORDER % unfilled)
    assert isinstance(heard, list)
    assert isinstance(heard[0], ToldOrder)
    return heard[0]


def match(quantity: str, at: int, **more: object) -> msgspec.Raw:
    """A row of `/matches`."""
    row = {"price": 9000.5, "quantity": msgspec.Raw(quantity.encode()), "created_at": at, **more}
    return msgspec.Raw(msgspec.json.encode(row))


@pytest.mark.parametrize("newest_first", [False, True])
def test_executions_are_counted_by_time(newest_first: bool):
    """Each execution's span follows from those before it, in whichever order they are listed."""
    rows = [match("1.0", 10), match("2", 20), match("3", 20), match("4", 30)]

    fills = count_executions(order(0), reversed(rows) if newest_first else rows)

    assert [fill.fill.quantity for fill in fills] == ["1.0", "2", "3", "4"]
    assert [fill.span for fill in fills] == [
        ("0", "1.0"),
        ("1.0", "3.0"),
        ("3.0", "6.0"),
        ("6.0", "10.0"),
    ]
    assert explain(fills, order(0))
    assert not explain(fills, order(1))


def test_id_equals_that_of_a_push():
    """A counted execution is the same fact as the fill derived from one push."""
    [fill] = count_executions(order(9), [match("1.0", 10)])

    assert fill.span is not None
    pushed = derived_fill_facts("7", PlainDecimal("0"), PlainDecimal("1"))
    assert pushed == derived_fill_facts("7", *fill.span)


def test_execution_tells_more_than_a_push():
    """REST knows the exact price, who took, and the fee of each execution."""
    [fill] = count_executions(order(9), [match("1", 10, taker=True, fee=-1.5)])

    assert (
        fill.fill.price,
        fill.fill.liquidity,
        fill.fill.fee,
        fill.fill.fee_currency,
        fill.fill.side,
        fill.fill.derived,
    ) == ("9000.5", Liquidity.TAKER, "-1.5", "BTC", "sell", False)
    assert fill.venue_time == "1970-01-01T00:00:00.010Z"


def test_liquidity_that_is_not_told_is_null():
    """A `taker` that is no truth value tells nothing."""
    [maker, other] = count_executions(
        order(8), [match("1", 1, taker=False), match("1", 2, taker="x")]
    )

    assert (maker.fill.liquidity, other.fill.liquidity) == (Liquidity.MAKER, None)


def test_no_executions_explain_nothing_filled():
    """An order without executions is explained when nothing of it is filled."""
    assert explain([], order(10))
    assert not explain([], order(9))


def test_row_that_is_no_execution():
    """A row in another shape is not understood, and says so."""
    with pytest.raises(NotUnderstood):
        count_executions(order(9), [msgspec.Raw(b'{"price":1}')])
