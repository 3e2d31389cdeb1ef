"""Whatever a venue may send: never an exception, never a lost digit."""

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adapters.fmex.frames import Control
from adapters.fmex.normalise import read_frame
from gateway.contracts.told import ToldBalance, ToldOrder, ToldUnrecognized

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
numbers = st.integers(0, 10**19).flatmap(
    lambda digits: st.integers(0, 18).map(lambda places: Decimal(digits).scaleb(-places))
)

ACCOUNT = {"currency": "BTC", "available": 1, "frozen": 0, "position": 0, "updated_at": 1}
ORDER = {
    "id": 1, "quantity": 2, "direction": "LONG", "features": 0, "price": 1, "fill_price": 1,
    "unfilled_quantity": 1, "symbol": "BTCUSD_P", "margin_currency": "BTC", "fee": 0,
    "type": "LIMIT", "status": "PENDING", "trigger_direction": "LONG", "trigger_on": 0,
    "trailing_distance": 0, "created_at": 1,
}  # fmt: skip
POSITION = {
    "symbol": "BTCUSD_P", "quantity": 1, "direction": "LONG", "leverage": 0, "risk_level": 0,
    "margin": 1, "taker_fee_rate": 1, "realized_pnl": 1, "entry_price": 1, "updated_at": 1,
    "liquidation_price": 1, "bankruptcy_price": 1, "minimum_maintenance_margin_rate": 1,
}  # fmt: skip
ROWS = {"account": ACCOUNT, "order": ORDER, "position": POSITION}
MANDATORY = {
    "account": {"currency", "available", "frozen"},
    "order": {"id", "status"},
    "position": {"quantity", "direction"},
}
TYPES = {"account": "account", "order": "order.btcusd_p", "position": "position.btcusd_p"}


def read(value: Any) -> Any:
    """What a JSON value says: the control frame, or the one thing that it tells."""
    heard = read_frame(msgspec.json.encode(value).decode())
    return heard if isinstance(heard, Control) else heard[0]


def frame_of(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """A push with this object."""
    return {"type": TYPES[kind], kind: row, "ts": 2}


@given(st.text())
def test_any_text_is_read(text: str):
    """Any text is told or a control frame; what is not understood keeps its text."""
    heard = read_frame(text)
    if not isinstance(heard, Control) and isinstance(heard[0], ToldUnrecognized):
        assert text == heard[0].frame


@given(json_values)
def test_any_json_is_read(value: Any):
    """Any JSON value is told or a control frame."""
    read(value)


@given(st.sampled_from(list(ROWS)), st.dictionaries(st.text(), json_values, max_size=3), st.data())
def test_any_field_may_hold_anything(kind: str, extra: dict[str, Any], data: st.DataObject):
    """A documented push with any of its fields replaced by any value never raises."""
    row = ROWS[kind]
    name = data.draw(st.sampled_from(list(row)))
    read(frame_of(kind, extra | row | {name: data.draw(json_values)}))


@given(st.sampled_from(list(ROWS)), st.data())
def test_extra_and_missing_fields_are_no_harm(kind: str, data: st.DataObject):
    """Unknown fields and missing optional ones never make a push unrecognized."""
    row = ROWS[kind]
    optional = sorted(set(row) - MANDATORY[kind])
    missing = data.draw(st.sets(st.sampled_from(optional)))
    unknown = st.text().filter(lambda name: name not in row)
    extra = data.draw(st.dictionaries(unknown, json_values, max_size=3))

    told = read(frame_of(kind, extra | {k: v for k, v in row.items() if k not in missing}))

    assert not isinstance(told, ToldUnrecognized)


@given(numbers, numbers, numbers, st.sampled_from(["{:f}", "{}", "{:e}"]))
def test_decimals_survive(available: Decimal, held: Decimal, margin: Decimal, form: str):
    """Numbers keep their value whatever notation they came in, and sums are exact."""
    row = ", ".join(
        f'"{name}": {form.format(value)}'
        for name, value in (("available", available), ("frozen", held), ("position", margin))
    )
    heard = read_frame('{"type":"account","account":{"currency":"BTC",' + row + "}}")
    assert not isinstance(heard, Control)
    [told] = heard

    assert isinstance(told, ToldBalance)
    balance = told.balance
    assert (available, held, margin) == (
        Decimal(balance.available),
        Decimal(balance.held),
        Decimal(balance.position_margin or ""),
    )
    assert "E" not in balance.total.upper()
    assert sum(map(Fraction, (available, held, margin))) == Fraction(balance.total)


@given(numbers.filter(bool))
def test_plain_text_passes_untouched(price: Decimal):
    """A number in plain notation is delivered as the very text that came."""
    text = f"{price:f}"
    heard = read_frame(
        '{"type":"order.btcusd_p","order":{"id":1,"status":"PENDING","price":' + text + "}}"
    )
    assert not isinstance(heard, Control)
    assert isinstance(heard[0], ToldOrder)
    assert text == heard[0].order.price


def test_second_process_reads_the_same(frame: Any):
    """The same frame gives the same facts in another process, whatever its hash seed."""
    code = (
        "import sys; from adapters.fmex.normalise import read_frame;"
        "from gateway.events.identity import order_facts;"
        "print(order_facts(read_frame(sys.argv[1])[0].order))"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code, frame("order")],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(texts) == 1
