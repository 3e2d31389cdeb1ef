"""FMEX's words to ours: frame → what it told. Pure.

`read_frame` serves the stream; `tell_order`, `tell_position` and `tell_balance`
serve REST rows too, which carry the same objects.
"""

from base64 import b64encode
from collections.abc import Callable
from functools import reduce
from typing import Final

from adapters.fmex.frames import (
    AccountRow,
    Control,
    Misfit,
    NotUnderstood,
    OrderRow,
    PositionRow,
    Push,
    decode_frame,
    instant,
    number,
    optional_number,
)
from adapters.fmex.instruments import find_instrument
from gateway.contracts.told import Told, ToldBalance, ToldOrder, ToldPosition, ToldUnrecognized
from gateway.events.model import (
    FINAL_STATUSES,
    Balance,
    MarginMode,
    Order,
    OrderStatus,
    OrderType,
    Position,
    PositionSide,
    Side,
    TimeInForce,
    TriggerDirection,
)
from gateway.events.numbers import PlainDecimal, add, is_zero, subtract
from gateway.events.times import Timestamp

STATUSES: Final = {
    "PENDING": OrderStatus.NEW,
    "PARTIAL_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FULLY_FILLED": OrderStatus.FILLED,
    "PARTIAL_CANCELLED": OrderStatus.CANCELED,
    "FULLY_CANCELLED": OrderStatus.CANCELED,
    "STOP_PENDING": OrderStatus.PENDING_TRIGGER,
    "STOP_FAILED": OrderStatus.REJECTED,
    "STOP_CANCELLED": OrderStatus.CANCELED,
    "FAILED": OrderStatus.REJECTED,  # only a sibling exchange names it
}
_SIDES: Final = {"LONG": Side.BUY, "SHORT": Side.SELL}
_TYPES: Final = {"LIMIT": OrderType.LIMIT, "MARKET": OrderType.MARKET}
_POSITION_SIDES: Final = {"LONG": PositionSide.LONG, "SHORT": PositionSide.SHORT}
_TRIGGERS: Final = {"LONG": TriggerDirection.UP, "SHORT": TriggerDirection.DOWN}

FOK: Final = 0x01
POST_ONLY: Final = 0x02
HIDDEN: Final = 0x04
IOC: Final = 0x08
LIQUIDATION: Final = 0x8000
"""Bits of an order's `features`."""


def read_frame(frame: str | bytes) -> Control | list[Told]:
    """What a frame says: about the connection, or about the account. Never raises."""
    if isinstance(frame, bytes):
        return [binary_frame(frame)]
    try:
        decoded = decode_frame(frame)
        return decoded if isinstance(decoded, Control) else [_tell(decoded, frame)]
    except NotUnderstood as error:
        return [ToldUnrecognized(reason=error.reason, frame=frame)]


def binary_frame(frame: bytes) -> ToldUnrecognized:
    """FMEX speaks text; whatever comes as binary is kept whole."""
    text = b64encode(frame).decode()
    return ToldUnrecognized(reason=Misfit.BINARY, frame=text, encoding="base64")


def _tell(push: Push, text: str) -> Told:
    assert push.type is not None  # `decode_frame` gives a Control otherwise
    subject, _, symbol = push.type.partition(".")
    teller = _TELLERS.get(subject.lower())
    if teller is None:
        raise NotUnderstood(Misfit.UNKNOWN_TYPE)
    return teller(push, text, symbol.upper() or None)


def _tell_account_push(push: Push, text: str, _symbol: str | None) -> Told:
    if push.account is None:
        raise NotUnderstood(Misfit.BAD_FIELD)
    return tell_balance(push.account, text, instant(push.account.updated_at or push.ts))


def _tell_order_push(push: Push, text: str, symbol: str | None) -> Told:
    if push.order is None:
        raise NotUnderstood(Misfit.BAD_FIELD)
    # The sample has no update time inside the order: the time of the push stands for it.
    updated = instant(push.order.updated_at or push.ts)
    return tell_order(push.order, text, updated=updated, symbol=symbol)


def _tell_position_push(push: Push, text: str, symbol: str | None) -> Told:
    if push.position is None:
        raise NotUnderstood(Misfit.BAD_FIELD)
    updated = instant(push.position.updated_at or push.ts)
    return tell_position(push.position, text, updated=updated, symbol=symbol)


_TELLERS: Final[dict[str, Callable[[Push, str, str | None], Told]]] = {
    "account": _tell_account_push,
    "order": _tell_order_push,
    "position": _tell_position_push,
}


def tell_balance(row: AccountRow, raw: str, updated: Timestamp | None) -> ToldBalance:
    """One currency; the total is the exact sum of the parts that were told."""
    available, held = number(row.available), number(row.frozen)
    margin = optional_number(row.position)
    parts = [available, held] if margin is None else [available, held, margin]
    balance = Balance(
        asset=row.currency.upper(),
        available=available,
        held=held,
        position_margin=margin,
        total=reduce(add, parts),
    )
    return ToldBalance(balance=balance, venue_time=updated, raw=raw)


def tell_order(
    row: OrderRow, raw: str, *, updated: Timestamp | None, symbol: str | None
) -> ToldOrder:
    """One order; `symbol` stands in where an older row does not name its contract."""
    symbol = row.symbol or symbol
    instrument = find_instrument(symbol)
    status = order_status(row.status)
    quantity, remaining = optional_number(row.quantity), optional_number(row.unfilled_quantity)
    trigger = _unless_zero(optional_number(row.trigger_on))
    order_type = _TYPES.get(_word(row.type))
    order = Order(
        order_id=str(row.id),
        status=status,
        venue_status=row.status,
        final=status in FINAL_STATUSES,
        side=_SIDES.get(_word(row.direction)),
        type=order_type,
        time_in_force=_time_in_force(row.features, order_type),
        post_only=_bit(row.features, POST_ONLY),
        hidden=_bit(row.features, HIDDEN),
        liquidation=_bit(row.features, LIQUIDATION),
        price=optional_number(row.price),
        quantity=quantity,
        filled_quantity=_difference(quantity, remaining),
        remaining_quantity=remaining,
        average_price=_unless_zero(optional_number(row.fill_price)),
        fee=optional_number(row.fee),
        fee_currency=row.margin_currency or (instrument.settlement if instrument else None),
        trigger_price=trigger,
        # `LONG` stands on every order; it means something on stop orders only.
        trigger_direction=_TRIGGERS.get(_word(row.trigger_direction)) if trigger else None,
        trailing_distance=_unless_zero(optional_number(row.trailing_distance)),
        created_time=instant(row.created_at),
        updated_time=updated,
    )
    return ToldOrder(
        order=order,
        symbol=instrument.symbol if instrument else None,
        venue_symbol=symbol,
        venue_time=updated,
        raw=raw,
    )


def tell_position(
    row: PositionRow, raw: str, *, updated: Timestamp | None, symbol: str | None
) -> ToldPosition:
    """One position. Nothing in it is checked for sense: FMEX's own sample defies it."""
    symbol = row.symbol or symbol
    instrument = find_instrument(symbol)
    quantity, leverage = number(row.quantity), optional_number(row.leverage)
    position = Position(
        side=_position_side(quantity, row.direction),
        quantity=quantity,
        entry_price=optional_number(row.entry_price),
        leverage=_unless_zero(leverage),
        margin_mode=_margin_mode(leverage),
        margin=optional_number(row.margin),
        margin_currency=instrument.settlement if instrument else None,
        realized_pnl=optional_number(row.realized_pnl),
        liquidation_price=optional_number(row.liquidation_price),
        bankruptcy_price=optional_number(row.bankruptcy_price),
        maintenance_margin_rate=optional_number(row.minimum_maintenance_margin_rate),
        taker_fee_rate=optional_number(row.taker_fee_rate),
        risk_level=optional_number(row.risk_level),
        updated_time=updated,
    )
    return ToldPosition(
        position=position,
        symbol=instrument.symbol if instrument else None,
        venue_symbol=symbol,
        venue_time=updated,
        raw=raw,
    )


def order_status(word: str) -> OrderStatus:
    """Our word for FMEX's; upper or lower case, `cancelled` with one l or two."""
    word = word.upper()
    status = STATUSES.get(word) or STATUSES.get(word.replace("CANCELED", "CANCELLED"))
    return status or OrderStatus.UNKNOWN


def _word(word: str | None) -> str:
    return word.upper() if word else ""


def _bit(features: int | None, bit: int) -> bool | None:
    return None if features is None else bool(features & bit)


def _time_in_force(features: int | None, order_type: OrderType | None) -> TimeInForce | None:
    if features is None:
        return None
    if features & FOK:
        return TimeInForce.FOK
    if features & IOC:
        return TimeInForce.IOC
    return TimeInForce.GTC if order_type is OrderType.LIMIT else None


def _unless_zero(value: PlainDecimal | None) -> PlainDecimal | None:
    return None if value is None or is_zero(value) else value


def _difference(whole: PlainDecimal | None, rest: PlainDecimal | None) -> PlainDecimal | None:
    if whole is None or rest is None:
        return None
    return whole if rest == "0" else subtract(whole, rest)


def _position_side(quantity: PlainDecimal, direction: str | None) -> PositionSide:
    if is_zero(quantity):
        return PositionSide.FLAT  # whatever direction was left standing
    side = _POSITION_SIDES.get(_word(direction))
    if side is None:
        raise NotUnderstood(Misfit.BAD_FIELD)
    return side


def _margin_mode(leverage: PlainDecimal | None) -> MarginMode | None:
    if leverage is None:
        return None
    return MarginMode.CROSS if is_zero(leverage) else MarginMode.ISOLATED
