"""A trade that was pushed is not told again when a list names it otherwise."""

from typing import Any

import msgspec
import pytest

from adapters.lbank.frames import OrderPush, decode_frame
from adapters.lbank.normalise import normalise_push
from adapters.lbank.rows import fill_of_row
from adapters.lbank.told_trades import ToldTrades
from gateway.contracts.told import Told, ToldFill, ToldUnrecognized

AT_MS = 1_705_676_718_532


def pushed(trade_id: str, *, price: str = "10", quantity: str = "2", at_ms: int = AT_MS) -> Told:
    """An order's push with a trade."""
    update = {
        "uuid": "o1", "txUuid": trade_id, "orderStatus": 1, "price": price, "amount": quantity,
        "volumePrice": "20", "updateTime": at_ms,
    }  # fmt: skip
    frame = {"type": "orderUpdate", "pair": "eth_btc", "orderUpdate": update}
    text = msgspec.json.encode(frame).decode()
    push = decode_frame(text)
    assert isinstance(push, OrderPush)
    return normalise_push(push, text)


def listed(
    trade_id: str, *, price: Any = 10.0, quantity: Any = 2, at_ms: int = AT_MS // 1000 * 1000
) -> ToldFill | ToldUnrecognized:
    """A row of transaction_history: numbers, and a time cut to seconds."""
    row = {"id": trade_id, "orderId": "o1", "price": price, "qty": quantity, "time": at_ms}
    return fill_of_row(msgspec.Raw(msgspec.json.encode(row)), "eth_btc")


def untold(trades: ToldTrades, *rows: ToldFill | ToldUnrecognized) -> list[str | None]:
    """The ids that are left."""
    found = trades.untold("o1", rows)
    return [each.fill.fill_id for each in found if isinstance(each, ToldFill)]


def test_another_name_for_a_pushed_trade():
    """Order, price, quantity and moment agree, so it is the trade that was pushed."""
    trades = ToldTrades()
    trades.note(pushed("t1"))

    assert ["lost"] == untold(trades, listed("other"), listed("lost", quantity=3))


def test_equal_trades_are_counted():
    """Of two equal trades in one second, of which one was pushed, the other is told."""
    trades = ToldTrades()
    trades.note(pushed("t1"))

    assert ["b"] == untold(trades, listed("a"), listed("b"))
    trades.note(pushed("t2"))
    assert [] == untold(trades, listed("a"), listed("b"))


@pytest.mark.parametrize("other", [{"price": 11}, {"quantity": 1}, {"at_ms": AT_MS + 5_000}])
def test_a_trade_that_differs_was_not_pushed(other: dict[str, Any]):
    """One term is enough to make it another trade."""
    trades = ToldTrades()
    trades.note(pushed("t1"))

    assert ["lost"] == untold(trades, listed("lost", **other))


def test_where_ids_agree_they_are_all_that_counts():
    """Once a list used the id of a push, equal terms are two trades: the journal knows ids."""
    trades = ToldTrades()
    trades.note(pushed("t1"))

    assert ["t1", "lost"] == untold(trades, listed("t1"), listed("lost"))
    trades.note(pushed("t2", at_ms=AT_MS + 60_000))
    assert ["equal"] == untold(trades, listed("equal", at_ms=AT_MS + 60_000))


def test_nothing_is_known_of_other_orders():
    """After a restart, or for an order that was not heard of, the list is told as it is."""
    assert ["a", "b"] == untold(ToldTrades(), listed("a"), listed("b"))


def test_old_orders_are_let_go_of():
    """What is kept does not grow with every order of a week."""
    trades = ToldTrades()
    trades.note(pushed("t1"))
    for number in range(5_000):
        push = pushed("t")
        assert not isinstance(push, ToldUnrecognized)
        fill = msgspec.structs.replace(push.trade.fill, order_id=f"later-{number}")
        trade = msgspec.structs.replace(push.trade, fill=fill)
        trades.note(msgspec.structs.replace(push, trade=trade))

    assert ["other"] == untold(trades, listed("other"))


def test_nothing_is_kept_once_ids_agree():
    """Where lists name trades as pushes do, a busy account costs no memory here."""
    trades = ToldTrades()
    trades.note(pushed("t1"))
    untold(trades, listed("t1"))
    trades.note(pushed("t2"))

    assert ["another"] == untold(trades, listed("another"))
