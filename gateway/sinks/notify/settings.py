"""Options of a notify sink, and which events are worth a person's attention."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from gateway.contracts.values import Seconds, Secret
from gateway.events.model import Event, Fill, Kind, Order, OrderStatus, Stream, StreamStatus
from gateway.events.numbers import CONTEXT, PlainDecimal, to_decimal
from gateway.sinks.extras import missing_extra


class About(StrEnum):
    """What a person may want to be told."""

    GAPS = "gaps"
    """A gap opened or was closed."""
    SUSPENSIONS = "suspensions"
    """An account was refused by its venue."""
    STREAMS = "streams"
    """Everything about the streams: live, gaps, keys, stops."""
    FILLS = "fills"
    """Executions, all of them or those from `fills_over` upwards."""
    ORDERS = "orders"
    """Every change of an order."""
    REJECTIONS = "rejections"
    """Orders that the venue rejected."""
    LIQUIDATIONS = "liquidations"
    """Orders by which the venue closes a position."""
    BALANCES = "balances"
    """Every change of a balance."""
    POSITIONS = "positions"
    """Every change of a position."""
    UNRECOGNIZED = "unrecognized"
    """Frames that were not understood."""


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `notify` sink."""

    url: Secret
    """Whom to tell, as an Apprise URL: `tgram://…`, `slack://…`, `mailto://…`."""
    about: tuple[About, ...] = (
        About.GAPS,
        About.SUSPENSIONS,
        About.LIQUIDATIONS,
        About.REJECTIONS,
    )
    """What to tell; all else is passed over."""
    fills_over: dict[str, PlainDecimal] = {}
    """With `fills`: the least value worth a message, by symbol or by quote currency. Contracts
    are counted, by symbol. What is not named here always passes."""
    digest: Seconds = Seconds(30)
    """After a message, fold what comes within this time into the next one."""
    max_per_minute: Annotated[int, msgspec.Meta(ge=1, le=60)] = 10
    """Never more messages than this; what is over waits and is folded too."""
    lines: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    """Events written out in one message; the others are counted."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        yield from missing_extra("apprise", extra="notify")
        if not self.about:
            yield "about", "name something to tell"
        if self.fills_over and About.FILLS not in self.about:
            yield "fills_over", "has no effect without `fills` in `about`"
        if self.digest < 0:
            yield "digest", "must not be negative"


def is_worth_telling(event: Event, settings: NotifySettings) -> bool:
    """Whether a person wants to hear of it."""
    matters = any(_MATTERS[about](event) for about in settings.about)
    if matters and isinstance(event.body, Fill):
        return _is_large(event, event.body, settings.fills_over)
    return matters


def _is_large(event: Event, fill: Fill, fills_over: dict[str, PlainDecimal]) -> bool:
    symbol = event.symbol or ""
    quote = symbol.partition("/")[2]  # of a contract "USD:BTC", which nobody names
    for name in (symbol, event.venue_symbol or "", quote):
        if name in fills_over:
            return _value(fill, is_contract=":" in symbol) >= to_decimal(fills_over[name])
    return True


def _value(fill: Fill, *, is_contract: bool) -> Decimal:
    if fill.value is not None:
        return to_decimal(fill.value)
    if is_contract:
        return to_decimal(fill.quantity)
    return CONTEXT.multiply(to_decimal(fill.price), to_decimal(fill.quantity))


def _of_kind(kind: Kind) -> Callable[[Event], bool]:
    return lambda event: event.kind is kind


def _of_stream(*statuses: StreamStatus) -> Callable[[Event], bool]:
    return lambda event: isinstance(event.body, Stream) and event.body.status in statuses


def _is_rejection(event: Event) -> bool:
    return isinstance(event.body, Order) and event.body.status is OrderStatus.REJECTED


def _is_liquidation(event: Event) -> bool:
    return isinstance(event.body, Order) and event.body.liquidation is True


_MATTERS: Final[dict[About, Callable[[Event], bool]]] = {
    About.GAPS: _of_stream(StreamStatus.GAP_OPENED, StreamStatus.GAP_CLOSED),
    About.SUSPENSIONS: _of_stream(StreamStatus.SUSPENDED),
    About.STREAMS: _of_kind(Kind.STREAM),
    About.FILLS: _of_kind(Kind.FILL),
    About.ORDERS: _of_kind(Kind.ORDER),
    About.REJECTIONS: _is_rejection,
    About.LIQUIDATIONS: _is_liquidation,
    About.BALANCES: _of_kind(Kind.BALANCE),
    About.POSITIONS: _of_kind(Kind.POSITION),
    About.UNRECOGNIZED: _of_kind(Kind.UNRECOGNIZED),
}
