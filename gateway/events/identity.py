"""What makes two reports the same fact.

An event's id is a BLAKE2b-128 digest over a canonical text: account, venue, kind
and the few facts that tell this event from any other of its kind. Time of
receipt, sequence, origin and connection never count, so the same fact gets the
same id through a second connection, a second gateway or a restart, and by push
or by recovery wherever the venue tells enough.

The text is made of fields separated by the ASCII unit separator, each one
escaped so that no value can imitate a border; a missing value differs from an
empty one. Numbers are taken in their canonical spelling.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from gateway.events.model import (
    Balance,
    Kind,
    Order,
    OrderStatus,
    Position,
)
from gateway.events.numbers import PlainDecimal, canonical
from gateway.events.times import Timestamp

ID_BYTES: Final = 16

Facts = tuple[str | None, ...]
"""The values that identify an event within its account and kind."""

_SEPARATOR: Final = "\x1f"
_ABSENT: Final = "\x00"
_ESCAPES: Final = str.maketrans({"\x1f": "\\u", "\x00": "\\0", "\\": "\\\\"})


def digest(account: str, venue: str, kind: Kind, facts: Iterable[str | None]) -> str:
    """The id of an event: 32 lower-case hex characters."""
    told = [_ABSENT if fact is None else _escape(fact) for fact in facts]
    hashed = _subject(account, venue, kind).copy()
    hashed.update(_SEPARATOR.join(["", *told]).encode("utf-8", "surrogatepass"))
    return hashed.hexdigest()


@lru_cache(maxsize=512)  # the busiest accounts'; each takes 0.7 KiB
def _subject(account: str, venue: str, kind: Kind) -> blake2b:
    """The beginning that all events of one kind and account share, hashed."""
    text = _SEPARATOR.join((_escape(account), _escape(venue), kind))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=ID_BYTES)


def order_facts(told: Order, *, trade_id: str | None = None) -> Facts:
    """Facts of an order's state, from what that one report told.

    `trade_id` stands in where the report has no cumulative quantity; where it
    has no trade either, the update time does.
    """
    if told.filled_quantity is not None:
        progress: str | None = "q" + canonical(told.filled_quantity)
    elif trade_id is not None:
        progress = "t" + trade_id
    else:
        progress = "u" + (told.updated_time or "")
    return (
        told.order_id,
        told.status,
        told.venue_status if told.status is OrderStatus.UNKNOWN else None,
        progress,
        _number(told.trigger_price),
        _number(told.trailing_distance),
    )


def fill_facts(order_id: str, fill_id: str) -> Facts:
    """Facts of an execution that the venue numbers.

    Both ids count: LBank gives the two sides of a self-trade one trade id.
    """
    return (order_id, fill_id)


def derived_fill_facts(order_id: str, before: PlainDecimal, after: PlainDecimal) -> Facts:
    """Facts of an execution known only as growth of the cumulative quantity."""
    return (order_id, "derived", canonical(before), canonical(after))


def balance_facts(balance: Balance, venue_time: Timestamp | None) -> Facts:
    """Facts of a balance: the asset, every value and the venue's time."""
    return (
        balance.asset,
        canonical(balance.available),
        canonical(balance.held),
        _number(balance.position_margin),
        venue_time,
    )


def position_facts(
    position: Position, venue_symbol: str | None, venue_time: Timestamp | None
) -> Facts:
    """Facts of a position: the contract, every value and the venue's time."""
    return (
        venue_symbol,
        position.side,
        canonical(position.quantity),
        _number(position.entry_price),
        _number(position.leverage),
        _number(position.margin),
        _number(position.realized_pnl),
        _number(position.liquidation_price),
        _number(position.bankruptcy_price),
        _number(position.maintenance_margin_rate),
        _number(position.taker_fee_rate),
        position.risk_level,
        venue_time,
    )


def replacing(facts: Facts, replaced_id: str | None) -> Facts:
    """Facts of a state without a time of its own, or one that came back.

    It covers the id of the state that it replaces, so that the second visit to
    the same values is another event. Such an id is this gateway's own.
    """
    return (*facts, "replaces", replaced_id)


def _number(value: PlainDecimal | None) -> str | None:
    return None if value is None else canonical(value)


def _escape(text: str) -> str:
    # Looking is ten times as quick as `translate`, and nearly nothing has to be escaped.
    if "\\" in text or "\x1f" in text or "\x00" in text:
        return text.translate(_ESCAPES)
    return text
