"""One event as a sentence for a person on a phone. Pure.

What a venue wrote into a name is printed as text: control characters and direction
marks are left out, and what is long is cut.
"""

from collections.abc import Callable
from typing import Any, Final

from gateway.events.model import (
    Balance,
    Event,
    Fill,
    Kind,
    Order,
    Position,
    Side,
    Stream,
    StreamStatus,
    Unrecognized,
)

LONGEST: Final = 300
"""Characters of a sentence."""

_STREAM_WORDS: Final = {
    StreamStatus.LIVE: "is live",
    StreamStatus.GAP_OPENED: "GAP: events may be missed",
    StreamStatus.GAP_CLOSED: "gap closed",
    StreamStatus.KEY_RENEWED: "has a renewed stream key",
    StreamStatus.SUSPENDED: "SUSPENDED: the venue refuses its credentials",
    StreamStatus.STOPPED: "stopped",
    StreamStatus.ALIVE: "is alive",
}


def sentence(event: Event) -> str:
    """``03:04:05 lbank-main: bought 0.003 ETH/BTC at 0.02455211``."""
    # 2026-11-22T13:02:11.123456Z: the message itself carries the day.
    text = (
        f"{event.received_time[11:19]} {event.account}: {_SENTENCES[event.kind](event.body, event)}"
    )
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _symbol(event: Event) -> str:
    return event.symbol or event.venue_symbol or "an unknown symbol"


def _order(order: Order, event: Event) -> str:
    words = [f"order {order.order_id} {order.status.value.replace('_', ' ')}:"]
    if order.liquidation:
        words.insert(0, "LIQUIDATION")
    if order.side is not None:
        words.append(order.side)
    if order.quantity is not None:
        words.append(order.quantity)
    words.append(_symbol(event))
    if order.price is not None:
        words.append(f"at {order.price}")
    if order.filled_quantity is not None:
        words.append(f"(filled {order.filled_quantity})")
    return " ".join(words)


def _fill(fill: Fill, event: Event) -> str:
    verb = {Side.BUY: "bought", Side.SELL: "sold", None: "traded"}[fill.side]
    trade = f" (trade {fill.fill_id})" if fill.fill_id is not None else ""
    return f"{verb} {fill.quantity} {_symbol(event)} at {fill.price}{trade}"


def _balance(balance: Balance, _event: Event) -> str:
    return f"has {balance.total} {balance.asset} ({balance.available} available)"


def _position(position: Position, event: Event) -> str:
    price = f" from {position.entry_price}" if position.entry_price is not None else ""
    return f"{position.side} {position.quantity} {_symbol(event)}{price}"


def _stream(stream: Stream, _event: Event) -> str:
    words = [_STREAM_WORDS[stream.status], f"({stream.reason.value.replace('_', ' ')})"]
    if stream.since is not None:
        words.append(f"since {stream.since}")
    if stream.until is not None:
        words.append(f"until {stream.until}")
    if stream.recovered is not None:
        words.append(f"with {stream.recovered} events found")
    if stream.complete is False:
        words.append("- NOT complete")
    if stream.detail is not None:
        words.append(f"- {stream.detail}")
    return " ".join(words)


def _unrecognized(body: Unrecognized, _event: Event) -> str:
    return f"sent something that was not understood ({body.reason})"


_SENTENCES: Final[dict[Kind, Callable[[Any, Event], str]]] = {
    Kind.ORDER: _order,
    Kind.FILL: _fill,
    Kind.BALANCE: _balance,
    Kind.POSITION: _position,
    Kind.STREAM: _stream,
    Kind.UNRECOGNIZED: _unrecognized,
}
