"""From a push to what it told, purely.

Traps that shape this file: `amount`, `volumePrice`, `price` (status 1 and 2) and
`role` describe the *latest trade*, so they belong to the fill; the form of 2019
does not tell an order's side, quantity, price or cumulative fill at all; the
amount of a `buy_market` is money, not quantity; a market order's price is the
market's of that moment, not a limit.
"""

from decimal import Decimal
from typing import Any, Final

from adapters.lbank.frames import NO_VALUE, AssetPush, AssetUpdate, OrderPush, OrderUpdate
from adapters.lbank.vocabulary import STATUSES, TRADED_STATUSES, Terms, terms_of, unified_symbol
from gateway.contracts.told import Told, ToldBalance, ToldFill, ToldOrder, ToldUnrecognized
from gateway.events.model import (
    FINAL_STATUSES,
    Balance,
    Fill,
    Liquidity,
    Order,
    OrderStatus,
    OrderType,
)
from gateway.events.numbers import (
    CONTEXT,
    NumberError,
    PlainDecimal,
    add,
    compare,
    computed,
    is_zero,
    plain,
    subtract,
)
from gateway.events.times import TimeError, Timestamp, from_milliseconds

# Python 3.11 takes 80 ns to find a member of an enum; here that happens with every frame.
_UNKNOWN: Final = OrderStatus.UNKNOWN
_MARKET: Final = OrderType.MARKET
_LIQUIDITY: Final = {"maker": Liquidity.MAKER, "taker": Liquidity.TAKER}


class Untellable(ValueError):
    """A required value is missing or makes no sense; `str()` is the reason, one word."""


def normalise_push(push: OrderPush | AssetPush, raw: str) -> Told:
    """What a push told; `raw` is its text. Never raises."""
    try:
        if isinstance(push, OrderPush):
            return _order(push, raw)
        return _balance(push.update, raw)
    except Untellable as error:
        return ToldUnrecognized(reason=str(error), frame=raw)
    except NumberError:  # a sum or quotient of two absurd numbers
        return ToldUnrecognized(reason="bad_number", frame=raw)


# --- values, as both pushes and REST rows write them --------------------------


def text_of(value: Any) -> str | None:
    """An id or a word; None for nothing."""
    if value in NO_VALUE:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Untellable("wrong_type")


def required_text(value: Any) -> str:
    """An id that must be there."""
    text = text_of(value)
    if text is None:
        raise Untellable("missing_field")
    return text


def number_of(value: Any) -> PlainDecimal | None:
    """A number in either spelling; None for nothing."""
    if value in NO_VALUE:
        return None
    try:
        return plain(value)
    except NumberError:
        raise Untellable("bad_number") from None


def required_number(value: Any) -> PlainDecimal:
    """A number that must be there."""
    number = number_of(value)
    if number is None:
        raise Untellable("missing_field")
    return number


def positive(value: Any) -> PlainDecimal | None:
    """A number for which zero means that there is none yet."""
    number = number_of(value)
    return None if number is None or is_zero(number) else number


def time_of(value: Any) -> Timestamp | None:
    """Epoch milliseconds, as number or text; None for nothing."""
    if value in NO_VALUE:
        return None
    try:
        return from_milliseconds(value if type(value) is int else int(_digits(value)))
    except TimeError:
        raise Untellable("bad_time") from None


def _digits(value: Any) -> str:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        return value
    raise Untellable("bad_time")


def remaining(quantity: PlainDecimal | None, filled: PlainDecimal | None) -> PlainDecimal | None:
    """Ordered minus filled, also after a cancel; None where either is not told."""
    if quantity is None or filled is None:
        return None
    return subtract(quantity, filled)


def ratio(
    value: PlainDecimal | Decimal | None, quantity: PlainDecimal | None
) -> PlainDecimal | None:
    """A price computed from a value and a quantity; None where there is none."""
    if value is None or quantity is None or is_zero(quantity):
        return None
    return computed(CONTEXT.divide(Decimal(value), Decimal(quantity)))


def status_of(word: str) -> OrderStatus:
    """The unified status of a status number."""
    return STATUSES.get(word, _UNKNOWN)


# --- pushes --------------------------------------------------------------------


def _order(push: OrderPush, raw: str) -> ToldOrder:
    update = push.update
    pair = text_of(push.pair) or text_of(update.symbol)
    symbol = None if pair is None else unified_symbol(pair)
    terms = terms_of(update.type)
    order = _order_state(update, terms)
    return ToldOrder(
        order=order,
        symbol=symbol,
        venue_symbol=pair,
        venue_time=order.updated_time,
        raw=raw,
        trade=_trade(update, order, symbol, pair, raw),
    )


def _order_state(update: OrderUpdate, terms: Terms) -> Order:
    venue_status = required_text(update.order_status)
    status = status_of(venue_status)
    amount = number_of(update.order_amt)
    quantity = amount if terms.spends_quote is False else None
    filled = number_of(update.acc_amt)
    return Order(
        order_id=required_text(update.uuid),
        client_order_id=text_of(update.customer_id),
        status=status,
        venue_status=venue_status,
        final=status in FINAL_STATUSES,
        side=terms.side,
        type=terms.type,
        time_in_force=terms.time_in_force,
        post_only=terms.post_only,
        price=_limit_price(update, terms, venue_status),
        quantity=quantity,
        quote_quantity=amount if terms.spends_quote else None,
        filled_quantity=filled,
        remaining_quantity=remaining(quantity, filled),
        average_price=positive(update.avg_price),
        updated_time=time_of(update.update_time),
    )


def _limit_price(update: OrderUpdate, terms: Terms, venue_status: str) -> PlainDecimal | None:
    if terms.type is _MARKET:
        return None
    told = number_of(update.order_price)
    if told is None and venue_status not in TRADED_STATUSES:
        told = number_of(update.price)
    return told


def _trade(
    update: OrderUpdate, order: Order, symbol: str | None, pair: str | None, raw: str
) -> ToldFill | None:
    """The execution in a push; None where it carries none, or none that has a price."""
    trade_id = text_of(update.tx_uuid)
    quantity = positive(update.amount)
    traded = order.venue_status in TRADED_STATUSES
    if quantity is None or (trade_id is None and not traded):
        return None
    value = number_of(update.volume_price)
    price = (positive(update.price) if traded else None) or ratio(value, quantity)
    if price is None:
        return None
    fill = Fill(
        fill_id=trade_id,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        side=order.side,
        price=price,
        quantity=quantity,
        value=value,
        liquidity=_liquidity(update.role),
    )
    return ToldFill(
        fill=fill,
        symbol=symbol,
        venue_symbol=pair,
        venue_time=order.updated_time,
        raw=raw,
        span=None if trade_id is not None else _span(order.filled_quantity, quantity),
    )


def _liquidity(role: Any) -> Liquidity | None:
    return _LIQUIDITY.get(role.lower()) if isinstance(role, str) else None


def _span(
    filled: PlainDecimal | None, quantity: PlainDecimal
) -> tuple[PlainDecimal, PlainDecimal] | None:
    """Where a trade without an id stands in the order's progress."""
    if filled is None or compare(filled, quantity) < 0:
        return None
    return subtract(filled, quantity), filled


def _balance(update: AssetUpdate, raw: str) -> ToldBalance:
    available = required_number(update.free)
    held = required_number(update.freeze)
    balance = Balance(
        asset=required_text(update.asset_code).upper(),
        available=available,
        held=held,
        total=add(available, held),
        reason=text_of(update.type),
    )
    return ToldBalance(balance=balance, venue_time=time_of(update.time), raw=raw)
