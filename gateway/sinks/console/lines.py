"""One event as one line for a person: aligned, escaped, coloured if wanted.

Columns: time of receipt (UTC), account, what, symbol, side, price, quantity,
status, and what else is worth the eye. `stream` events are about our own hearing
and stand out, since a gap matters more than any single order.
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
    Stream,
    StreamStatus,
    Unrecognized,
)

_RESET: Final = "\x1b[0m"
_DIM: Final = "\x1b[2m"
_BOLD: Final = "\x1b[1m"
_RED: Final = "\x1b[31m"
_GREEN: Final = "\x1b[32m"
_YELLOW: Final = "\x1b[33m"
_CYAN: Final = "\x1b[36m"

_KIND_COLOURS: Final = {
    Kind.FILL: _BOLD,
    Kind.BALANCE: _DIM,
    Kind.POSITION: _CYAN,
    Kind.UNRECOGNIZED: _YELLOW,
}
_SIDE_COLOURS: Final = {"buy": _GREEN, "long": _GREEN, "sell": _RED, "short": _RED}
_STREAM_COLOURS: Final = {
    StreamStatus.LIVE: _BOLD + _GREEN,
    StreamStatus.GAP_CLOSED: _BOLD + _GREEN,
    StreamStatus.GAP_OPENED: _BOLD + _RED,
    StreamStatus.SUSPENDED: _BOLD + _RED,
    StreamStatus.STOPPED: _BOLD + _YELLOW,
}

_ACCOUNT_WIDTH: Final = 14
_KIND_WIDTH: Final = len("unrecognized")
_SYMBOL_WIDTH: Final = 13
_SIDE_WIDTH: Final = 5
_NUMBER_WIDTH: Final = 14
_STATUS_WIDTH: Final = len("partially_filled")
_EXCERPT: Final = 160
"""Characters of an unrecognized frame that are worth a line."""

_Cells = tuple[str, str, str, str, str]
"""Side, price, quantity, status, and the rest."""


def format_line(event: Event, *, colour: bool = False, width: int | None = None) -> str:
    """`event` as one line without a newline, at most `width` characters where given.

    Whatever a venue put into a name or a reason is printed as text: control
    characters, line breaks and direction marks appear escaped.
    """
    paint = _painted if colour else _plain
    if isinstance(event.body, Stream):
        columns = _stream_columns(event, event.body, paint)
    else:
        columns = _columns(event, paint)
    line = "".join(columns).rstrip()
    if width is not None and not colour and len(line) > width:
        line = line[: max(width - 1, 0)] + "…"
    return line


def _columns(event: Event, paint: Callable[[str, str], str]) -> list[str]:
    side, price, quantity, status, rest = _CELLS[event.kind](event.body)
    symbol = event.symbol or event.venue_symbol or ""
    if isinstance(event.body, Balance):
        symbol = event.body.asset
    return [
        *_opening(event, paint),
        paint(_padded(event.kind.value, _KIND_WIDTH), _KIND_COLOURS.get(event.kind, "")),
        _padded(symbol, _SYMBOL_WIDTH),
        paint(_padded(side, _SIDE_WIDTH), _SIDE_COLOURS.get(side, "")),
        _number(price),
        _number(quantity),
        _padded(status, _STATUS_WIDTH),
        paint(escape(rest), _DIM),
    ]


def _stream_columns(event: Event, body: Stream, paint: Callable[[str, str], str]) -> list[str]:
    facts = [body.status.value, f"({body.reason.value})"]
    if body.since is not None:
        facts.append(f"since {body.since}")
    if body.until is not None:
        facts.append(f"until {body.until}")
    if body.recovered is not None:
        facts.append(f"recovered {body.recovered}")
    if body.complete is not None:
        facts.append("complete" if body.complete else "NOT complete")
    if body.detail:
        facts.append(f"- {body.detail}")
    text = f"{_padded('STREAM', _KIND_WIDTH)}{escape(' '.join(facts))}"
    style = _STREAM_COLOURS.get(body.status, _BOLD)
    if body.complete is False:
        style = _BOLD + _YELLOW
    return [*_opening(event, paint), paint(text, style)]


def _opening(event: Event, paint: Callable[[str, str], str]) -> list[str]:
    # 2026-11-22T13:02:11.123456Z: the day is in the journal, microseconds help nobody here.
    time = event.received_time[11:23]
    return [paint(f"{time}  ", _DIM), _padded(event.account, _ACCOUNT_WIDTH)]


def _order(order: Order) -> _Cells:
    price = order.price or order.average_price
    quantity = order.quantity or order.quote_quantity
    facts = [f"filled {order.filled_quantity}"] if order.filled_quantity is not None else []
    if order.trigger_price is not None:
        facts.append(f"trigger {order.trigger_price}")
    facts.append(f"order {order.order_id}")
    status = order.status.value
    if status == "unknown":
        status = f"unknown ({order.venue_status})"
    return (order.side or "", price or order.type or "", quantity or "", status, "  ".join(facts))


def _fill(fill: Fill) -> _Cells:
    facts = []
    if fill.fee is not None:
        facts.append(f"fee {fill.fee} {fill.fee_currency or ''}".rstrip())
    if fill.derived:
        facts.append("derived")
    facts.append(f"order {fill.order_id}")
    return (fill.side or "", fill.price, fill.quantity, fill.liquidity or "", "  ".join(facts))


def _balance(balance: Balance) -> _Cells:
    rest = f"available {balance.available}  held {balance.held}"
    if balance.position_margin is not None:
        rest += f"  margin {balance.position_margin}"
    return ("", "", balance.total, balance.reason or "", rest)


def _position(position: Position) -> _Cells:
    facts = [f"leverage {position.leverage}"] if position.leverage is not None else []
    if position.liquidation_price is not None:
        facts.append(f"liquidation {position.liquidation_price}")
    mode = position.margin_mode or ""
    return (
        position.side,
        position.entry_price or "",
        position.quantity,
        mode,
        "  ".join(facts),
    )


def _unrecognized(body: Unrecognized) -> _Cells:
    return ("", "", "", body.reason, body.frame[:_EXCERPT])


_CELLS: Final[dict[Kind, Callable[[Any], _Cells]]] = {
    Kind.ORDER: _order,
    Kind.FILL: _fill,
    Kind.BALANCE: _balance,
    Kind.POSITION: _position,
    Kind.UNRECOGNIZED: _unrecognized,
}


def escape(text: str) -> str:
    """`text` with everything escaped that would move a cursor, a line or a direction."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _padded(text: str, width: int) -> str:
    # Two blanks even behind a name that is too long: columns shift, words never merge.
    return f"{escape(text):<{width}}  "


def _number(text: str) -> str:
    return f"{escape(text):>{_NUMBER_WIDTH}}  "


def _plain(text: str, _style: str) -> str:
    return text


def _painted(text: str, style: str) -> str:
    return f"{style}{text}{_RESET}" if style and text else text
