"""Which events a sink wants."""

import msgspec
import pytest

from gateway.contracts.sink import Record, SinkOptions
from gateway.delivery.filters import Filter
from gateway.events.model import Kind


def record(
    kind: Kind = Kind.FILL,
    symbol: str | None = "BTC/USD:BTC",
    venue_symbol: str | None = "BTCUSD_P",
) -> Record:
    """An event of the account `hedge`."""
    return Record(1, "0" * 32, kind, "hedge", symbol, venue_symbol, 0, b"", None)


CASES = [
    ({}, record(), True),
    ({"accounts": ("hedge",)}, record(), True),
    ({"accounts": ("main",)}, record(), False),
    ({"accounts": ("main",)}, record(Kind.STREAM), False),
    ({"kinds": (Kind.FILL,)}, record(), True),
    ({"kinds": (Kind.ORDER,)}, record(), False),
    ({"kinds": (Kind.ORDER,)}, record(Kind.STREAM), True),
    ({"kinds": (Kind.ORDER,), "stream_events": False}, record(Kind.STREAM), False),
    ({"stream_events": False}, record(), True),
    ({"symbols": ("BTC/USD:BTC",)}, record(), True),
    ({"symbols": ("BTCUSD_P",)}, record(), True),
    ({"symbols": ("btcusd_p",)}, record(), True),
    ({"symbols": ("ETH/BTC",)}, record(), False),
    ({"symbols": ("ETH/BTC",)}, record(Kind.STREAM), True),
    ({"symbols": ("ETH/BTC",)}, record(symbol=None, venue_symbol=None), True),
    ({"symbols": ("ETH/BTC",)}, record(symbol=None), False),
    ({"symbols": ("btcusd_p",)}, record(symbol=None), True),
    ({"symbols": ()}, record(), False),
]


@pytest.mark.parametrize(("options", "event", "wanted"), CASES)
def test_filters(options: dict[str, object], event: Record, wanted: bool):
    """Accounts filter everything; kinds and symbols let `stream` events pass."""
    made = msgspec.structs.replace(SinkOptions(type="x"), **options)

    assert Filter(made).wants(event) is wanted
