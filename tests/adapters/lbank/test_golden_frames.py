"""Every documented or captured frame, and what it must tell."""

import json
from pathlib import Path

import msgspec
import pytest

from adapters.lbank.frames import AssetPush, OrderPush, decode_frame
from adapters.lbank.normalise import normalise_push
from gateway.contracts.told import Told, ToldBalance, ToldFill, ToldOrder

FRAMES = Path(__file__).parent / "frames"
NAMES = sorted(path.stem for path in FRAMES.glob("*.json") if not path.stem.endswith(".expected"))


def told_as_json(told: Told) -> list[dict]:
    """What a report told, in the form and order of events."""
    match told:
        case ToldOrder():
            lines = [_line("order", told, told.order)]
            return lines + (told_as_json(told.trade) if told.trade else [])
        case ToldFill():
            return [_line("fill", told, told.fill)]
        case ToldBalance():
            return [{"venue_time": told.venue_time, "balance": msgspec.to_builtins(told.balance)}]
    return [{"unrecognized": told.reason}]


def _line(kind: str, told: ToldOrder | ToldFill, body: msgspec.Struct) -> dict:
    return {
        "symbol": told.symbol,
        "venue_symbol": told.venue_symbol,
        "venue_time": told.venue_time,
        kind: msgspec.to_builtins(body),
    }


def read(text: str) -> list[dict]:
    """What a frame tells: events, or the kind of a control frame."""
    frame = decode_frame(text)
    if isinstance(frame, OrderPush | AssetPush):
        return told_as_json(normalise_push(frame, text))
    return [{type(frame).__name__.lower(): msgspec.to_builtins(frame)}]


@pytest.mark.parametrize("name", NAMES)
def test_frame_tells_what_is_expected(name: str):
    """The frame gives exactly the expected reports, in order."""
    text = (FRAMES / f"{name}.json").read_text(encoding="utf-8").rstrip("\n")
    expected = json.loads((FRAMES / f"{name}.expected.json").read_text(encoding="utf-8"))

    assert expected == read(text)


def test_every_frame_has_a_source():
    """SOURCES.md names where each frame comes from."""
    sources = (FRAMES / "SOURCES.md").read_text(encoding="utf-8")

    assert [] == [name for name in NAMES if f"`{name}`" not in sources]


def test_field_order_is_that_of_the_schema():
    """An order and a fill list their fields in the order of the schema."""
    text = (FRAMES / "page_2019_filled.json").read_text(encoding="utf-8")
    order, fill = read(text)

    assert list(order["order"])[:5] == [
        "order_id", "client_order_id", "status", "venue_status", "final",
    ]  # fmt: skip
    assert list(fill["fill"])[:5] == ["fill_id", "order_id", "client_order_id", "side", "price"]
