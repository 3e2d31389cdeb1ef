"""Completing reports from what is known, and noticing trades that nobody told."""

import msgspec
import pytest

from adapters.lbank.frames import OrderPush, decode_frame
from adapters.lbank.normalise import normalise_push
from adapters.lbank.reconcile import reconcile
from gateway.contracts.told import KnownOrder, Mark, ToldOrder
from gateway.events.model import Order, OrderStatus, OrderType, Side, TimeInForce

KNOWN = Order(
    order_id="o1",
    client_order_id="mine",
    status=OrderStatus.PARTIALLY_FILLED,
    venue_status="1",
    final=False,
    side=Side.BUY,
    type=OrderType.LIMIT,
    time_in_force=TimeInForce.GTC,
    post_only=False,
    price="20",
    quantity="1.0",
    filled_quantity="0.4",
    remaining_quantity="0.6",
    average_price="19",
)


def known(order: Order = KNOWN, accounted: str = "0.4") -> KnownOrder:
    """What the book holds."""
    return KnownOrder(order=order, mark=Mark(accounted), event_id="e", received_ns=0)


def push(**fields: object) -> ToldOrder:
    """A push of the known order with these fields."""
    pairs = {"uuid": "o1", "orderStatus": 1, "updateTime": 1561704577786} | fields
    frame = decode_frame(_json({"type": "orderUpdate", "pair": "eth_btc", "orderUpdate": pairs}))
    assert isinstance(frame, OrderPush)
    told = normalise_push(frame, "raw")
    assert isinstance(told, ToldOrder)
    return told


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def trade(quantity: str, status: int = 1, price: str = "21") -> ToldOrder:
    """A push in the form of 2019."""
    return push(amount=quantity, orderStatus=status, price=price, txUuid="t9", role="maker")


def test_old_form_is_filled_in():
    """Side, quantity, limit price and cumulative fill of a known order are filled in."""
    order = reconcile(known(), trade("0.2")).order

    assert (Side.BUY, "1.0", "20", "0.6", "0.4") == (
        order.side,
        order.quantity,
        order.price,
        order.filled_quantity,
        order.remaining_quantity,
    )
    assert ("mine", OrderType.LIMIT, TimeInForce.GTC) == (
        order.client_order_id,
        order.type,
        order.time_in_force,
    )


def test_average_is_computed_over_the_trade():
    """(0.4 * 19 + 0.2 * 21) / 0.6, to 18 decimals."""
    assert "19.666666666666666667" == reconcile(known(), trade("0.2")).order.average_price


def test_unknown_order_stays_as_told():
    """At first sight nothing is filled in."""
    told = trade("0.2", status=2)

    result = reconcile(None, told)

    assert told.order == result.order
    assert not result.trades_missing


def test_what_is_told_wins():
    """A field of the report is never replaced by what is known."""
    told = push(type="sell", orderAmt="3", accAmt="0.4", orderPrice="9", avgPrice="0")

    order = reconcile(known(), told).order

    assert (Side.SELL, "3", "9", None) == (
        order.side,
        order.quantity,
        order.price,
        order.average_price,
    )


def test_cancel_keeps_the_remainder():
    """After a cancel the remaining quantity is still quantity minus filled."""
    order = reconcile(known(), push(orderStatus=-1, price="20")).order

    assert ("0.4", "0.6", "19") == (
        order.filled_quantity,
        order.remaining_quantity,
        order.average_price,
    )


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        (push(accAmt="0.6", amount="0.2", price="21", txUuid="t9"), False),
        (push(accAmt="0.7", amount="0.2", price="21", txUuid="t9"), True),
        (push(accAmt="0.6"), True),
        (push(accAmt="0.4"), False),
        (trade("0.6", status=2), False),
        (trade("0.2", status=2), True),
    ],
    ids=["explained", "jumped past", "no trade told", "no growth", "old: whole", "old: partly"],
)
def test_missing_trades_are_noticed(told: ToldOrder, missing: bool):
    """Growth beyond the trade told asks for the missing trades."""
    assert missing == reconcile(known(), told).trades_missing


def test_filled_order_is_filled_whole():
    """A filled order has its whole quantity filled, even where a push was lost."""
    order = reconcile(known(), trade("0.2", status=2)).order

    assert ("1.0", "0.0", None) == (
        order.filled_quantity,
        order.remaining_quantity,
        order.average_price,
    )


def test_traded_status_without_a_trade_asks():
    """The old form with a traded status but no trade cannot be explained."""
    assert reconcile(None, push(orderStatus=2)).trades_missing


def test_rest_rows_ask_for_nothing():
    """A row read by REST brings its baseline; its trades are read beside it."""
    told = push(accAmt="0.9")
    row = ToldOrder(order=told.order, raw="", baseline=Mark("0.9"))

    result = reconcile(known(), row)

    assert not result.trades_missing
    assert "0.9" == result.mark.quantity


def test_mark_never_falls():
    """A later report with less does not lower the mark."""
    assert "0.4" == reconcile(known(), push(orderStatus=4)).mark.quantity


def test_trade_without_a_number_leaves_its_span_to_the_book():
    """The mark stops before a trade that only its span identifies."""
    told = push(accAmt="0.6", amount="0.2", price="21", type="buy", orderAmt="1")

    result = reconcile(known(), told)

    assert ("0.4", "0.6") == told.trade.span
    assert "0.4" == result.mark.quantity
