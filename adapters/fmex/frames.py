"""What FMEX sends, in its own words. Pure: no I/O, no clock, no opinion.

Numbers stay text (`msgspec.Raw`) until `number` checks and prints them: FMEX
sends JSON numbers such as ``2.796888254907565438`` and ``0E-18``, of which a
float would keep half. Only what an event cannot do without is mandatory; fields
that FMEX adds are ignored. A time or a bit set may be written as ``8``, ``8.0`` or
``"8"``: FMEX mixes the first two, and nothing is lost by taking the third.
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from gateway.events.numbers import NumberError, PlainDecimal, plain
from gateway.events.times import TimeError, Timestamp, from_milliseconds

ABSENT: Final = msgspec.Raw()
_NULLS: Final = ("", "null", '""')


class Misfit(StrEnum):
    """Why a frame or row was not understood."""

    NOT_JSON = "not_json"
    BINARY = "binary"
    UNKNOWN_TYPE = "unknown_type"
    BAD_FIELD = "bad_field"
    """A field is missing, or of another type than documented."""
    BAD_NUMBER = "bad_number"
    """Not finite, or of more digits than a quantity has."""
    BAD_TIME = "bad_time"
    """No instant between 1970 and 9999."""
    COMPLAINT = "complaint"
    """An error of the venue that answers none of our subscriptions."""


class NotUnderstood(ValueError):
    """You get this when a text is none of FMEX's frames or rows."""

    def __init__(self, reason: Misfit) -> None:
        super().__init__(reason.value)
        self.reason = reason


class AccountRow(msgspec.Struct, frozen=True, gc=False):
    """One currency of the margin account."""

    currency: str
    available: msgspec.Raw
    frozen: msgspec.Raw
    """Held by open orders."""
    position: msgspec.Raw = ABSENT
    """Held by positions."""
    updated_at: int | None = None


class OrderRow(msgspec.Struct, frozen=True, gc=False):
    """One order: the same in a push and in REST, but for the case of its words."""

    id: int | str
    status: str
    quantity: msgspec.Raw = ABSENT
    unfilled_quantity: msgspec.Raw = ABSENT
    direction: str | None = None
    type: str | None = None
    features: int | None = None
    price: msgspec.Raw = ABSENT
    fill_price: msgspec.Raw = ABSENT
    fee: msgspec.Raw = ABSENT
    symbol: str | None = None
    margin_currency: str | None = None
    trigger_direction: str | None = None
    trigger_on: msgspec.Raw = ABSENT
    trailing_distance: msgspec.Raw = ABSENT
    created_at: int | None = None
    updated_at: int | None = None


class PositionRow(msgspec.Struct, frozen=True, gc=False):
    """One contract's position."""

    quantity: msgspec.Raw
    symbol: str | None = None
    direction: str | None = None
    leverage: msgspec.Raw = ABSENT
    risk_level: msgspec.Raw = ABSENT
    margin: msgspec.Raw = ABSENT
    taker_fee_rate: msgspec.Raw = ABSENT
    realized_pnl: msgspec.Raw = ABSENT
    entry_price: msgspec.Raw = ABSENT
    liquidation_price: msgspec.Raw = ABSENT
    bankruptcy_price: msgspec.Raw = ABSENT
    minimum_maintenance_margin_rate: msgspec.Raw = ABSENT
    updated_at: int | None = None


class MatchRow(msgspec.Struct, frozen=True, gc=False):
    """One execution of an order, by REST only. FMEX gives it no id."""

    price: msgspec.Raw
    quantity: msgspec.Raw
    created_at: int
    fee: msgspec.Raw = ABSENT
    taker: Any = None


class Push(msgspec.Struct, frozen=True, gc=False):
    """A frame with news; `type` is the topic, and one of the objects is there."""

    type: str | None = None
    ts: int | None = None
    account: AccountRow | None = None
    order: OrderRow | None = None
    position: PositionRow | None = None


class Control(msgspec.Struct, frozen=True, gc=False):
    """A frame about the connection: `hello`, `ping`, `topics`, or an error without type."""

    type: str | None = None
    ts: int | None = None
    gap: int | None = None
    """Of a `ping`: the venue's time when it answered, minus the time that we sent."""
    topics: tuple[str, ...] = ()
    status: int | None = None
    """Of an error."""
    msg: Any = None
    id: Any = None
    """The command that it answers."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Every REST answer. The broker family writes its good status as a word."""

    status: int | str
    data: msgspec.Raw = ABSENT
    msg: Any = None


class Results(msgspec.Struct, frozen=True, gc=False):
    """A list of rows, each kept as text. An empty one may be written as null."""

    results: list[msgspec.Raw] | None

    @property
    def rows(self) -> list[msgspec.Raw]:
        """What is listed."""
        return self.results or []


class ClosedPage(Results, frozen=True, gc=False, rename="camel"):
    """One page of closed orders, newest first."""

    has_more: bool | None = None
    next_offset_id: int | str | None = None


Shape = TypeVar("Shape")

_decode_push: Final = msgspec.json.Decoder(Push, strict=False).decode
_decode_control: Final = msgspec.json.Decoder(Control, strict=False).decode
_CONTROL_TYPES: Final = frozenset({"hello", "ping", "topics"})
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def decode_frame(text: str) -> Push | Control:
    """Read a text frame. Raises `NotUnderstood`."""
    try:
        push = _decode_push(text)
        if push.type is not None and push.type.lower() not in _CONTROL_TYPES:
            return push
        control = _decode_control(text)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(_misfit(error)) from None
    if control.type is None and not control.status:
        raise NotUnderstood(Misfit.UNKNOWN_TYPE)
    return control


def decode_as(shape: type[Shape], text: bytes | msgspec.Raw) -> Shape:
    """Read a part of a REST answer. Raises `NotUnderstood`."""
    try:
        return msgspec.json.decode(text, type=shape, strict=False)
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(_misfit(error)) from None


def decode_position_row(text: msgspec.Raw) -> PositionRow:
    """Read a position by REST, whose names drifted from ``riskLevel`` to ``risk_level``."""
    fields = decode_as(dict[str, msgspec.Raw], text)
    snakes = {_HUMP.sub("_", name).lower(): value for name, value in fields.items()}
    return decode_as(PositionRow, msgspec.json.encode(snakes))


def number(raw: msgspec.Raw) -> PlainDecimal:
    """A mandatory number, with all its digits. Raises `NotUnderstood`."""
    return _plain(str(raw, "utf-8"))


def optional_number(raw: msgspec.Raw) -> PlainDecimal | None:
    """A number, or None where FMEX does not tell it."""
    text = str(raw, "utf-8")
    return None if text in _NULLS else _plain(text)


@lru_cache(maxsize=4096)
def _plain(text: str) -> PlainDecimal:
    """Cached: most of the numbers of an order stand in its next push again."""
    try:
        return plain(text.strip('"'))
    except NumberError:
        raise NotUnderstood(Misfit.BAD_NUMBER) from None


def instant(milliseconds: int | None) -> Timestamp | None:
    """A time, or None where FMEX does not tell it. Raises `NotUnderstood`."""
    try:
        return None if milliseconds is None else from_milliseconds(milliseconds)
    except TimeError:
        raise NotUnderstood(Misfit.BAD_TIME) from None


def _misfit(error: Exception) -> Misfit:
    is_json = isinstance(error, msgspec.ValidationError)
    return Misfit.BAD_FIELD if is_json else Misfit.NOT_JSON
