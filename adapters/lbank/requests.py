"""The frames that we send: JSON text."""

from typing import Any, Final

import msgspec

ALL_PAIRS: Final = "all"
"""What `pair` says to follow every pair."""


def subscribe_orders(key: str, pair: str) -> str:
    """Ask for `orderUpdate` of one pair, or of `ALL_PAIRS`."""
    return _text(action="subscribe", subscribe="orderUpdate", subscribeKey=key, pair=pair)


def subscribe_balances(key: str) -> str:
    """Ask for `assetUpdate`, which knows no pairs."""
    return _text(action="subscribe", subscribe="assetUpdate", subscribeKey=key)


def ping(ping_id: str) -> str:
    """Ask for a sign of life."""
    return _text(action="ping", ping=ping_id)


def pong(ping_id: Any) -> str:
    """Answer the server's ping with the id that it sent, whatever it is made of."""
    return _text(action="pong", pong=ping_id)


def _text(**fields: Any) -> str:
    return msgspec.json.encode(fields).decode()
