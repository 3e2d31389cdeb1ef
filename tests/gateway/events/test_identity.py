"""One id per fact."""

import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events import identity
from gateway.events.model import Balance, Kind, Order, OrderStatus
from gateway.events.numbers import PlainDecimal, plain

ORDER = Order(
    order_id="849758102002",
    status=OrderStatus.PARTIALLY_FILLED,
    venue_status="PARTIAL_FILLED",
    final=False,
    filled_quantity=plain("3"),
)


def order_id(order: Order, account: str = "a", trade_id: str | None = None) -> str:
    """The id of an order's state."""
    return identity.digest(
        account, "fmex", Kind.ORDER, identity.order_facts(order, trade_id=trade_id)
    )


def test_ids_are_32_hex_characters():
    """An id is a BLAKE2b-128 digest in lower-case hex."""
    assert len(order_id(ORDER)) == 32
    assert set(order_id(ORDER)) <= set("0123456789abcdef")


def test_equal_numbers_give_equal_ids():
    """1, 1.0 and 1E0 identify the same state."""
    spelled = [
        msgspec.structs.replace(ORDER, filled_quantity=plain(text)) for text in ("3", "3.0", "3E0")
    ]

    assert len({order_id(each) for each in spelled}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": "849758102003"},
        {"status": OrderStatus.FILLED},
        {"filled_quantity": plain("4")},
        {"trigger_price": plain("9000")},
        {"trailing_distance": plain("10")},
    ],
)
def test_what_happened_counts(change: dict[str, object]):
    """Status, cumulative quantity and amendable fields each make another event."""
    assert order_id(ORDER) != order_id(msgspec.structs.replace(ORDER, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"venue_status": "partial_filled"},
        {"side": "buy"},
        {"average_price": plain("9288")},
        {"updated_time": "2020-02-04T07:43:24.232Z"},
    ],
)
def test_what_is_filled_in_does_not_count(change: dict[str, object]):
    """Fields that another report of the same state may lack do not change the id."""
    assert order_id(ORDER) == order_id(msgspec.structs.replace(ORDER, **change))


def test_trade_id_then_time_stand_in_for_a_missing_quantity():
    """Without a cumulative quantity the trade id identifies the state, or else the time."""
    untold = msgspec.structs.replace(ORDER, filled_quantity=None)

    assert order_id(untold, trade_id="t1") != order_id(untold, trade_id="t2")
    assert order_id(untold) != order_id(
        msgspec.structs.replace(untold, updated_time="2020-02-04T07:43:24.232Z")
    )


def test_unknown_words_keep_apart():
    """Two unknown status words are two states."""
    unknown = msgspec.structs.replace(ORDER, status=OrderStatus.UNKNOWN)

    assert order_id(unknown) != order_id(msgspec.structs.replace(unknown, venue_status="X"))


def test_a_trade_id_shared_by_two_orders_is_two_fills():
    """A self-trade gives both its orders one trade id; each is a fill of its own."""
    assert identity.fill_facts("o1", "t") != identity.fill_facts("o2", "t")


facts = st.lists(st.one_of(st.none(), st.text()), max_size=4)


@given(facts, facts)
def test_no_value_imitates_a_border(left: list[str | None], right: list[str | None]):
    """Different facts never share a canonical text, whatever characters they hold."""
    ids = [identity.digest("a", "v", Kind.FILL, facts) for facts in (left, right)]

    assert (ids[0] == ids[1]) == (left == right)


def test_a_balance_is_its_values_and_time():
    """The same values at another time are another event."""
    balance = Balance(
        asset="BTC", available=PlainDecimal("1"), held=PlainDecimal("0"), total=PlainDecimal("1")
    )

    assert identity.balance_facts(balance, None) != identity.balance_facts(
        balance, "2020-02-04T07:43:24.232Z"
    )


def test_ids_do_not_depend_on_the_process():
    """A second process gives the same id, whatever its hash seed."""
    code = (
        "from gateway.events import identity; from gateway.events.model import Kind;"
        "print(identity.digest('a', 'v', Kind.FILL, ('order', 'trade')))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "7"},
    )

    assert run.stdout.strip() == identity.digest("a", "v", Kind.FILL, ("order", "trade"))
