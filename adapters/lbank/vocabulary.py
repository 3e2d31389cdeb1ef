"""LBank's words for orders, in ours; shared by pushes and REST rows."""

from functools import lru_cache
from typing import Any, Final

import msgspec

from gateway.events.model import OrderStatus, OrderType, Side, TimeInForce

STATUSES: Final = {
    "-1": OrderStatus.CANCELED,
    "0": OrderStatus.NEW,
    "1": OrderStatus.PARTIALLY_FILLED,
    "2": OrderStatus.FILLED,
    "3": OrderStatus.CANCELED,  # after a partial fill: documented for REST, possible on the socket
    "4": OrderStatus.PENDING_CANCEL,  # a fill may still follow
}

TRADED_STATUSES: Final = frozenset({"1", "2"})
"""With these a push's `price` is that of the latest trade."""


class Terms(msgspec.Struct, frozen=True):
    """What an order type says about an order."""

    side: Side | None = None
    type: OrderType | None = None
    time_in_force: TimeInForce | None = None
    post_only: bool | None = None
    spends_quote: bool | None = None
    """True when the ordered amount is in quote units; None when that is not known."""


_LIMIT, _MARKET = OrderType.LIMIT, OrderType.MARKET
_GTC, _IOC, _FOK = TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK
_UNTOLD: Final = Terms()

_TERMS: Final = {
    f"{side.value}{suffix}": Terms(
        side, order_type, tif, post_only, order_type is _MARKET and side is Side.BUY
    )
    for side in Side
    for suffix, order_type, tif, post_only in (
        ("", _LIMIT, _GTC, False),
        ("_market", _MARKET, None, False),
        ("_maker", _LIMIT, _GTC, True),
        ("_ioc", _LIMIT, _IOC, False),
        ("_fok", _LIMIT, _FOK, False),
    )
}


def terms_of(word: Any) -> Terms:
    """What an order type says, in either case; of an unknown one at least its side."""
    if not isinstance(word, str):
        return _UNTOLD
    word = word.lower()
    terms = _TERMS.get(word)
    return terms if terms is not None else _side_only(word)


def _side_only(word: str) -> Terms:
    side = word.partition("_")[0]
    return Terms(Side(side)) if side in set(Side) else _UNTOLD


@lru_cache(maxsize=4096)
def unified_symbol(pair: str) -> str | None:
    """``eth_btc`` → ``ETH/BTC``.

    Some bases contain an underscore (``vet_erc20_usdt``), no quote does: the last
    one divides.
    """
    base, _, quote = pair.rpartition("_")
    return f"{base}/{quote}".upper() if base and quote else None
