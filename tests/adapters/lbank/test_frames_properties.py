"""Whatever arrives, the decoder answers: it never raises, and no digit is lost."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lbank.frames import AssetPush, OrderPush, decode_frame
from adapters.lbank.normalise import normalise_push
from adapters.lbank.reconcile import reconcile
from gateway.contracts.told import ToldBalance, ToldOrder, ToldUnrecognized
from gateway.events.numbers import to_decimal

FRAMES = Path(__file__).parent / "frames"
PUSHES = [
    json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FRAMES.glob("*.json"))
    if not path.stem.endswith(".expected") and "Update" in path.read_text(encoding="utf-8")
]
REQUIRED = {"uuid", "orderStatus", "assetCode", "free", "freeze"}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ORDER_FIELDS = [
    "uuid", "txUuid", "orderStatus", "updateTime", "amount", "volumePrice", "price", "role",
    "symbol", "type", "orderAmt", "orderPrice", "avgPrice", "accAmt", "customerID",
]  # fmt: skip
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=0, places=18).map(str)
VALUES = NUMBERS | st.sampled_from(["-1", 0, 1, 2, "3", 4, "buy", "sell_market", "", None]) | JSON


def understood(text: str) -> object:
    """What a text tells, checked to be something."""
    frame = decode_frame(text)
    if not isinstance(frame, OrderPush | AssetPush):
        return frame
    told = normalise_push(frame, text)
    assert isinstance(told, ToldOrder | ToldBalance | ToldUnrecognized)
    if isinstance(told, ToldUnrecognized):
        assert told.frame == text
    return told


@given(st.text())
def test_any_text_is_answered(text: str):
    """Any text is a report or a control frame, never an exception."""
    understood(text)


@given(JSON)
def test_any_json_is_answered(value: Any):
    """Any JSON value is a report or a control frame, never an exception."""
    understood(json.dumps(value))


@given(st.dictionaries(st.sampled_from(ORDER_FIELDS), VALUES), JSON)
def test_any_order_fields_are_answered(fields: dict[str, Any], pair: Any):
    """An order push with any fields is answered, and what it told can be reconciled."""
    frame = {"type": "orderUpdate", "pair": pair, "orderUpdate": fields}

    told = understood(json.dumps(frame))

    if isinstance(told, ToldOrder):
        reconcile(None, told)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"data":' + "[" * 100_000,
        '{"type":"orderUpdate","orderUpdate":{"uuid":' + "9" * 4_000 + "}}",
        '{"type":"orderUpdate","orderUpdate":{"uuid":"a","orderStatus":1,"amount":1e999999}}',
        '{"type":"orderUpdate","orderUpdate":{"uuid":"a","orderStatus":1,"amount":"NaN"}}',
        '{"type":"orderUpdate","orderUpdate":{"uuid":"a","orderStatus":1,"updateTime":1e30}}',
        '{"type":"orderUpdate","orderUpdate":[]}',
        '{"type":"orderUpdate"}',
        '{"type":"assetUpdate","data":{"assetCode":"a","free":1e60,"freeze":1e-60}}',
        '{"a":"\\ud800"}',
        "pong",
        "",
    ],
)
def test_garbage_is_not_understood(text: str):
    """Garbage of every known kind is unrecognized, with a reason of one word."""
    frame = decode_frame(text)
    if isinstance(frame, OrderPush | AssetPush):
        told = normalise_push(frame, text)
        assert isinstance(told, ToldUnrecognized)
        reason = told.reason
    else:
        reason = frame.reason

    assert reason.replace("_", "").isalpha()


@given(st.sampled_from(PUSHES), st.dictionaries(st.text(min_size=1), JSON, max_size=3))
def test_extra_fields_change_nothing(push: dict[str, Any], extra: dict[str, Any]):
    """Unknown fields on either level leave what a documented push tells as it is."""
    known = {"type", "pair", "orderUpdate", "data", "action", "ping", "pong", "status", "message"}
    inner = "orderUpdate" if "orderUpdate" in push else "data"
    fields = set(ORDER_FIELDS) | {"assetCode", "free", "freeze", "time"}
    wider = {key: value for key, value in extra.items() if key not in known} | push
    wider[inner] = {key: value for key, value in extra.items() if key not in fields} | push[inner]

    plain_told, wide_told = understood(json.dumps(push)), understood(json.dumps(wider))

    if isinstance(plain_told, ToldOrder):
        assert plain_told.order == wide_told.order
    else:
        assert plain_told.balance == wide_told.balance


@given(st.sampled_from(PUSHES), st.sets(st.sampled_from(ORDER_FIELDS)))
def test_missing_optional_fields_are_fine(push: dict[str, Any], absent: set[str]):
    """A push without some of its optional fields is still understood."""
    inner = "orderUpdate" if "orderUpdate" in push else "data"
    kept = {k: v for k, v in push[inner].items() if k in REQUIRED or k not in absent}

    told = understood(json.dumps({**push, inner: kept}))

    assert not isinstance(told, ToldUnrecognized)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=30, min_value=0, max_value=10**9))
def test_decimals_survive_in_both_spellings(value: Decimal):
    """A number keeps its value and digits as text and as JSON number."""
    fields = '"uuid":"a","orderStatus":0,"type":"sell","orderAmt":%s'
    for spelled in (f'"{value:f}"', f"{value:f}", f"{value:e}"):
        text = '{"type":"orderUpdate","orderUpdate":{' + fields % spelled + "}}"

        told = understood(text)

        assert isinstance(told, ToldOrder)
        assert to_decimal(told.order.quantity) == Decimal(value)
