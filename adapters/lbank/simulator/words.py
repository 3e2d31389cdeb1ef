"""What the pretend LBank says: pushes and REST rows, and the same facts in our words."""

import hashlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters.lbank.simulator.ledger import FEE_RATE, Holding, Order, Pair, Status, Trade
from adapters.lbank.simulator.switches import Switches
from gateway.simulator.arithmetic import ZERO, cut, text
from gateway.simulator.truth import Told

_SERVER_ZONE: Final = timedelta(hours=8)
"""LBank writes its texts in UTC+8, without saying so."""

_STATUS_WORDS: Final = {
    Status.CANCELLED: "canceled",
    Status.OPEN: "new",
    Status.PARTLY_FILLED: "partially_filled",
    Status.FILLED: "filled",
    Status.PARTLY_CANCELLED: "canceled",
    Status.CANCELLING: "pending_cancel",
}


def encode(data: Any) -> str:
    """JSON as the socket carries it."""
    return msgspec.json.encode(data).decode()


def server_time(now_ms: int) -> str:
    """``2019-06-28T14:49:37.816``: UTC+8, without a zone."""
    moment = datetime.fromtimestamp(now_ms / 1000, UTC) + _SERVER_ZONE
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


# --- pushes ------------------------------------------------------------------------


def order_push(order: Order, trade: Trade | None, switches: Switches, now_ms: int) -> str:
    """`orderUpdate` in the form that the switch asks for."""
    last = trade
    if trade is None and switches.cancel_amounts == "last_trade" and order.trades:
        last = order.trades[-1]
    is_trade_price = trade is not None and order.status in (Status.PARTLY_FILLED, Status.FILLED)
    status = order.status
    if status is Status.PARTLY_CANCELLED and switches.partial_cancel == "-1":
        status = Status.CANCELLED
    update: dict[str, Any] = {
        "amount": text(last.quantity) if last else "0",
        "orderStatus": int(status),
        "price": text(trade.price if trade and is_trade_price else order.price),
        "role": "maker" if last and last.maker else "taker",
        "updateTime": order.updated_ms,
        "uuid": order.uuid,
        "volumePrice": text(last.value) if last else "0",
    }
    if trade is not None:
        update["txUuid"] = trade.tx_uuid
    elif switches.push_form == "2019":
        update["txUuid"] = ""
    if switches.push_form == "today":
        update |= _todays_fields(order)
    return encode(
        {
            "orderUpdate": update,
            "pair": order.pair.symbol,
            "type": "orderUpdate",
            "SERVER": "V2",
            "TS": server_time(now_ms),
        }
    )


def _todays_fields(order: Order) -> dict[str, Any]:
    return {
        "accAmt": text(order.filled),
        "avgPrice": text(order.average),
        "customerID": order.custom_id,
        "orderAmt": text(order.amount),
        "orderPrice": text(order.price),
        "remainAmt": text(_remaining(order)),
        "symbol": order.pair.symbol,
        "type": order.kind,
    }


def _remaining(order: Order) -> Decimal:
    """Base units for a sell; the value that is left, in quote units, for a buy."""
    if order.is_by_value:
        return order.amount - order.spent
    rest = order.amount - order.filled
    return rest * order.price if order.is_buy else rest


def asset_push(asset: str, holding: Holding, reason: str, time_ms: int, now_ms: int) -> str:
    """`assetUpdate`."""
    return encode(
        {
            "data": {
                "asset": text(holding.free + holding.frozen),
                "assetCode": asset,
                "free": text(holding.free),
                "freeze": text(holding.frozen),
                "time": time_ms,
                "type": reason,
            },
            "SERVER": "V2",
            "type": "assetUpdate",
            "TS": server_time(now_ms),
        }
    )


def error_frame(message: str, now_ms: int) -> str:
    """An error as users logged it: without a code."""
    return encode(
        {"SERVER": "V2", "message": message, "status": "error", "TS": server_time(now_ms)}
    )


# --- REST rows -----------------------------------------------------------------------


def order_row(order: Order, *, with_custom_id: bool = True) -> dict[str, Any]:
    """One order of today's documents: numbers, some of them as ``1E+2``."""
    row: dict[str, Any] = {
        "cummulativeQuoteQty": order.spent,
        "symbol": order.pair.symbol,
        "executedQty": cut(order.filled),
        "orderId": order.uuid,
        "origQty": ZERO if order.is_by_value else order.amount.normalize(),
        "price": order.price,
        "origQuoteOrderQty": order.amount if order.is_by_value else order.amount * order.price,
        # Live answers cut this to seconds, so that it may lie before `time`.
        "updateTime": order.updated_ms // 1000 * 1000,
        "time": order.created_ms,
        "type": order.kind,
        "status": int(order.status),
    }
    if with_custom_id:
        row["clientOrderId"] = order.custom_id or None
    return row


def old_order_row(order: Order) -> dict[str, Any]:
    """One order of v1 and of the v2 paths without `supplement`."""
    row: dict[str, Any] = {
        "symbol": order.pair.symbol,
        "amount": order.amount,
        "create_time": order.created_ms,
        "price": order.price,
        "avg_price": order.average,
        "type": order.kind,
        "order_id": order.uuid,
        "deal_amount": order.filled,
        "status": int(order.status),
    }
    if order.custom_id:
        row["custom_id"] = order.custom_id
    return row


def trade_row(trade: Trade, switches: Switches) -> dict[str, Any]:
    """One trade of supplement/transaction_history."""
    return {
        "symbol": trade.pair.symbol,
        "id": trade.tx_uuid if switches.trade_ids == "same" else _other_id(trade),
        "orderId": trade.order,
        "price": trade.price,
        "qty": trade.quantity,
        "quoteQty": trade.value,
        "commission": trade.fee,
        "time": trade.time_ms,
        "isBuyer": trade.kind.startswith("buy"),
        "isMaker": trade.maker,
    }


def _other_id(trade: Trade) -> str:
    """What the newer list calls a trade where its ids are not those of pushes."""
    return hashlib.sha256(trade.tx_uuid.encode()).hexdigest()[:40]


def old_trade_row(trade: Trade) -> dict[str, Any]:
    """One trade of transaction_history and order_transaction_detail."""
    return {
        "orderUuid": trade.order,
        "tradeFeeRate": FEE_RATE,
        "dealTime": trade.time_ms,
        "dealQuantity": cut(trade.quantity),
        "tradeFee": trade.fee,
        "txUuid": trade.tx_uuid,
        "dealPrice": cut(trade.price),
        "dealVolumePrice": cut(trade.value),
        "tradeType": trade.kind,
        "isMaker": trade.maker,
    }


# --- the truth, in the gateway's words -------------------------------------------------


def symbol_of(pair: Pair) -> str:
    """``ETH/BTC``."""
    return f"{pair.base.upper()}/{pair.quote.upper()}"


def order_truth(order: Order) -> dict[str, Told]:
    """The state of an order."""
    style = order.kind.partition("_")[2]
    limit = not order.is_market
    return {
        "symbol": symbol_of(order.pair),
        "venue_symbol": order.pair.symbol,
        "order_id": order.uuid,
        "client_order_id": order.custom_id or None,
        "status": _STATUS_WORDS[order.status],
        "venue_status": str(int(order.status)),
        "final": order.is_final,
        "side": "buy" if order.is_buy else "sell",
        "type": "limit" if limit else "market",
        "time_in_force": (style if style in ("ioc", "fok") else "gtc") if limit else None,
        "post_only": style == "maker",
        "price": text(order.price) if limit else None,
        "quantity": None if order.is_by_value else text(order.amount),
        "quote_quantity": text(order.amount) if order.is_by_value else None,
        "filled_quantity": text(order.filled),
        "average_price": text(order.average) if order.filled else None,
    }


def trade_truth(trade: Trade) -> dict[str, Told]:
    """One execution."""
    is_buy = trade.kind.startswith("buy")
    return {
        "symbol": symbol_of(trade.pair),
        "venue_symbol": trade.pair.symbol,
        "fill_id": trade.tx_uuid,
        "other_fill_id": _other_id(trade),
        "order_id": trade.order,
        "side": "buy" if is_buy else "sell",
        "price": text(trade.price),
        "quantity": text(trade.quantity),
        "value": text(trade.value),
        "liquidity": "maker" if trade.maker else "taker",
        "fee": text(trade.fee),
        "fee_currency": (trade.pair.base if is_buy else trade.pair.quote).upper(),
    }


def holding_truth(asset: str, holding: Holding, reason: str | None) -> dict[str, Told]:
    """One balance."""
    return {
        "asset": asset.upper(),
        "available": text(holding.free),
        "held": text(holding.frozen),
        "total": text(holding.free + holding.frozen),
        "reason": reason,
    }
