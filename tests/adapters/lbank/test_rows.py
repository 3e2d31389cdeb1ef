"""REST rows in both spellings."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lbank.rows import balance_of_row, balances_of_info, fill_of_row, order_of_row
from gateway.contracts.told import ToldBalance, ToldFill, ToldOrder, ToldUnrecognized
from gateway.events.model import Liquidity, OrderStatus, Side

NEW = (
    '{"cummulativeQuoteQty":1000,"symbol":"lbk_usdt","executedQty":100000,"orderId":"o1",'
    '"origQty":1E+5,"price":0.01,"clientOrderId":null,"origQuoteOrderQty":1000,'
    '"updateTime":1648501762000,"time":1648501762353,"type":"buy_ioc","status":"2"}'
)
OLD = (
    '{"symbol":"eth_btc","amount":10.000000,"create_time":1484289832081,"price":5000.0,'
    '"avg_price":5277.301200,"type":"sell","order_id":"o1","deal_amount":4.5,"status":3,'
    '"custom_id":"mine"}'
)


def raw(text: str) -> msgspec.Raw:
    """A row as it stands in an answer."""
    return msgspec.Raw(text.encode())


def test_order_in_the_newer_spelling() -> None:
    """v2: the average price follows from value and quantity; both times are told."""
    told = order_of_row(raw(NEW), "lbk_usdt")

    assert isinstance(told, ToldOrder)
    order = told.order
    assert (order.status, order.quantity, order.filled_quantity, order.average_price) == (
        OrderStatus.FILLED,
        "100000",
        "100000",
        "0.01",
    )
    assert (order.created_time, order.updated_time) == (
        "2022-03-28T21:09:22.353Z",
        "2022-03-28T21:09:22.000Z",
    )
    assert told.raw == NEW


def test_order_in_the_older_spelling() -> None:
    """v1: status 3 is a final cancel; the remainder stands."""
    told = order_of_row(raw(OLD), "eth_btc")

    assert isinstance(told, ToldOrder)
    order = told.order
    assert (order.status, order.final, order.side, order.client_order_id) == (
        OrderStatus.CANCELED,
        True,
        Side.SELL,
        "mine",
    )
    assert (order.quantity, order.remaining_quantity, order.average_price) == (
        "10.000000",
        "5.500000",
        "5277.301200",
    )


def test_trade_in_both_spellings() -> None:
    """Per order a trade has the `txUuid` of the push; the list of a pair has an `id`."""
    old = fill_of_row(
        raw('{"txUuid":"t1","orderUuid":"o1","tradeType":"buy","dealTime":1648501762353,'
            '"dealPrice":0.01,"dealQuantity":5,"dealVolumePrice":0.05,"tradeFee":0.001}'),
        "lbk_usdt",
    )  # fmt: skip
    new = fill_of_row(
        raw('{"symbol":"lbk_usdt","id":"t2","orderId":"o1","price":0.01,"qty":5,'
            '"quoteQty":0.05,"commission":0.001,"time":1648501762353,"isBuyer":false,'
            '"isMaker":true}'),
        "lbk_usdt",
    )  # fmt: skip

    assert isinstance(old, ToldFill)
    assert isinstance(new, ToldFill)
    assert (old.fill.fill_id, old.fill.side, old.fill.liquidity) == ("t1", Side.BUY, None)
    assert (new.fill.fill_id, new.fill.side, new.fill.liquidity) == (
        "t2",
        Side.SELL,
        Liquidity.MAKER,
    )
    assert old.fill.price == new.fill.price == "0.01"
    assert old.fill.fee == "0.001"


def test_balances_in_both_forms() -> None:
    """v2 has a row an asset, v1 one map per part."""
    new = balance_of_row(raw('{"asset":"usdt","free":"5.0","locked":1}'))
    (btc, usdt) = balances_of_info(
        raw('{"freeze":{"usdt":1},"asset":{"usdt":6,"btc":2},"free":{"usdt":5.0,"btc":2}}')
    )

    for told in (new, usdt):
        assert isinstance(told, ToldBalance)
        assert (told.balance.asset, told.balance.total) == ("USDT", "6.0")
    assert isinstance(btc, ToldBalance)
    assert btc.balance.held == "0"


@pytest.mark.parametrize("text", ["[]", "{}", '{"orderId":"o1"}', '"x"', '{"free":{}}'])
def test_senseless_rows_are_kept(text: str) -> None:
    """A row without sense is unrecognized, whole."""
    for read in (
        lambda row: order_of_row(row, "eth_btc"),
        lambda row: fill_of_row(row, "eth_btc"),
        balance_of_row,
        lambda row: next(balances_of_info(row)),
    ):
        told = read(raw(text))
        assert isinstance(told, ToldUnrecognized)
        assert told.frame == text


@given(
    st.dictionaries(
        st.sampled_from(["orderId", "status", "origQty", "executedQty", "time", "type", "price"]),
        st.none() | st.integers() | st.text() | st.lists(st.booleans()),
    )
)
def test_any_row_is_answered(row: dict) -> None:
    """Any row is told or kept, never an exception."""
    told = order_of_row(msgspec.Raw(msgspec.json.encode(row)), "eth_btc")

    assert isinstance(told, ToldOrder | ToldUnrecognized)
