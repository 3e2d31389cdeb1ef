"""REST rows, in both spellings that LBank uses, and what they tell. Pure.

The newer calls write ``orderId origQty executedQty``, the older ones (API v1 and
its twins in v2) ``order_id amount deal_amount``. Whoever reads a row takes the
fields that are there. JSON numbers keep their exact text. A row that makes no sense becomes
`ToldUnrecognized`, like a frame that does not.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from adapters.lbank.answers import text_of_row
from adapters.lbank.normalise import (
    Untellable,
    number_of,
    positive,
    ratio,
    remaining,
    required_number,
    required_text,
    status_of,
    text_of,
    time_of,
)
from adapters.lbank.vocabulary import Terms, terms_of, unified_symbol
from gateway.contracts.told import (
    ZERO_MARK,
    Mark,
    ToldBalance,
    ToldFill,
    ToldOrder,
    ToldUnrecognized,
)
from gateway.events.model import (
    FINAL_STATUSES,
    Balance,
    Fill,
    Liquidity,
    Order,
    OrderType,
    Side,
)
from gateway.events.numbers import NumberError, add

_ROW: Final = msgspec.json.Decoder(dict[str, Any], float_hook=str)
_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}


class Row:
    """One row: its text, and its fields by whichever of several names is there."""

    def __init__(self, raw: msgspec.Raw) -> None:
        self.text: Final = text_of_row(raw)
        try:
            self._fields: Mapping[str, Any] = _ROW.decode(raw)
        except (msgspec.DecodeError, UnicodeError):
            raise Untellable("wrong_type") from None

    def first(self, *names: str) -> Any:
        """The first of these fields that holds something."""
        for name in names:
            value = self._fields.get(name)
            if value is not None and value != "":
                return value
        return None


def order_of_row(raw: msgspec.Raw, pair: str) -> ToldOrder | ToldUnrecognized:
    """The state of an order.

    Its baseline says that nothing has to be asked because of it: whoever reads
    order rows reads the trades beside them.
    """
    try:
        row = Row(raw)
        order = _order(row, terms_of(row.first("type")))
    except (Untellable, NumberError) as error:
        return _unrecognized(raw, error)
    told_pair = row.first("symbol")
    venue_symbol = told_pair if isinstance(told_pair, str) else pair
    return ToldOrder(
        order=order,
        symbol=unified_symbol(venue_symbol),
        venue_symbol=venue_symbol,
        venue_time=order.updated_time or order.created_time,
        raw=row.text,
        baseline=ZERO_MARK if order.filled_quantity is None else Mark(order.filled_quantity),
    )


def _order(row: Row, terms: Terms) -> Order:
    venue_status = required_text(row.first("status"))
    status = status_of(venue_status)
    amount = number_of(row.first("origQty", "amount"))
    quote_amount = positive(row.first("origQuoteOrderQty")) or amount
    quantity = amount if terms.spends_quote is False else None
    filled = number_of(row.first("executedQty", "deal_amount"))
    value = positive(row.first("cummulativeQuoteQty"))
    return Order(
        order_id=required_text(row.first("orderId", "order_id")),
        client_order_id=text_of(row.first("clientOrderId", "origClientOrderId", "custom_id")),
        status=status,
        venue_status=venue_status,
        final=status in FINAL_STATUSES,
        side=terms.side,
        type=terms.type,
        time_in_force=terms.time_in_force,
        post_only=terms.post_only,
        price=None if terms.type is OrderType.MARKET else number_of(row.first("price")),
        quantity=quantity,
        quote_quantity=quote_amount if terms.spends_quote else None,
        filled_quantity=filled,
        remaining_quantity=remaining(quantity, filled),
        average_price=positive(row.first("avg_price")) or ratio(value, filled),
        created_time=time_of(row.first("time", "create_time")),
        updated_time=time_of(row.first("updateTime", "update_time")),
    )


def fill_of_row(
    raw: msgspec.Raw, pair: str, order_id: str | None = None
) -> ToldFill | ToldUnrecognized:
    """An execution, of `order_id` where the row itself does not say so.

    `txUuid` is what a push calls the trade. Whether the `id` of the newer trade list
    is the same is not documented: see `recovery` for how that is got around.
    """
    try:
        row = Row(raw)
        fill = _fill(row, order_id)
        venue_time = time_of(row.first("dealTime", "time"))
    except (Untellable, NumberError) as error:
        return _unrecognized(raw, error)
    return ToldFill(
        fill=fill,
        symbol=unified_symbol(pair),
        venue_symbol=pair,
        venue_time=venue_time,
        raw=row.text,
    )


def _fill(row: Row, order_id: str | None) -> Fill:
    return Fill(
        fill_id=required_text(row.first("txUuid", "id", "tradeId")),
        order_id=required_text(row.first("orderUuid", "orderId", "order_id") or order_id),
        side=_side(row),
        price=required_number(row.first("dealPrice", "price")),
        quantity=required_number(row.first("dealQuantity", "qty")),
        value=number_of(row.first("dealVolumePrice", "quoteQty")),
        liquidity=_liquidity(row),
        # Both calls tell a fee without its currency.
        fee=number_of(row.first("tradeFee", "commission")),
    )


def _side(row: Row) -> Side | None:
    buyer = row.first("isBuyer")
    if isinstance(buyer, bool):
        return Side.BUY if buyer else Side.SELL
    word = row.first("tradeType", "type")
    return _SIDES.get(word.partition("_")[0].lower()) if isinstance(word, str) else None


def _liquidity(row: Row) -> Liquidity | None:
    maker = row.first("isMaker")
    if not isinstance(maker, bool):
        return None
    return Liquidity.MAKER if maker else Liquidity.TAKER


# --- balances --------------------------------------------------------------------


def balance_of_row(raw: msgspec.Raw) -> ToldBalance | ToldUnrecognized:
    """One asset in `user_info_account`, which lists thousands, most of them empty."""
    try:
        row = Row(raw)
        return _balance(
            row.first("asset", "coin"),
            row.first("free", "usableAmt"),
            row.first("locked", "freezeAmt"),
            row.text,
        )
    except (Untellable, NumberError) as error:
        return _unrecognized(raw, error)


def balances_of_info(raw: msgspec.Raw) -> Iterator[ToldBalance | ToldUnrecognized]:
    """Balances of v1's `user_info`: ``{"free": {"btc": …}, "freeze": {"btc": …}}``."""
    try:
        info = Row(raw)
        free, held = _map(info.first("free")), _map(info.first("freeze"))
        for asset in sorted(free.keys() | held.keys()):
            parts = {"asset": asset, "free": free.get(asset, 0), "freeze": held.get(asset, 0)}
            # v1 has no row for an asset: its text is put together from what is said of it.
            text = msgspec.json.encode(parts).decode()
            yield _balance(asset, parts["free"], parts["freeze"], text)
    except (Untellable, NumberError) as error:
        yield _unrecognized(raw, error)


def _map(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise Untellable("missing_field")


def _balance(asset: Any, free: Any, held: Any, raw: str) -> ToldBalance:
    available, reserved = required_number(free), required_number(held)
    balance = Balance(
        asset=required_text(asset).upper(),
        available=available,
        held=reserved,
        total=add(available, reserved),
    )
    return ToldBalance(balance=balance, raw=raw)


def _unrecognized(raw: msgspec.Raw, error: Exception) -> ToldUnrecognized:
    reason = str(error) if isinstance(error, Untellable) else "bad_number"
    return ToldUnrecognized(reason=reason, frame=text_of_row(raw))
