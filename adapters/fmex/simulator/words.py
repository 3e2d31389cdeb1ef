"""What the pretend FMEX says: pushes and REST rows, and the same facts in our words."""

from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters.fmex.simulator import contract
from adapters.fmex.simulator.ledger import Feature, Margin, Match, Order, Position, Status
from adapters.fmex.simulator.switches import Switches
from gateway.simulator.arithmetic import ZERO, cut, text
from gateway.simulator.truth import Told

UNIFIED_SYMBOL: Final = "BTC/USD:BTC"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_STATUS_WORDS: Final = {
    Status.PENDING: "new",
    Status.PARTIAL_FILLED: "partially_filled",
    Status.FULLY_FILLED: "filled",
    Status.PARTIAL_CANCELLED: "canceled",
    Status.FULLY_CANCELLED: "canceled",
    Status.STOP_PENDING: "pending_trigger",
    Status.STOP_FAILED: "rejected",
    Status.STOP_CANCELLED: "canceled",
}


def encode(data: Any) -> bytes:
    """JSON with exact numbers."""
    return _ENCODER.encode(data)


# --- numbers as pushes write them -------------------------------------------------


def number(value: Decimal, switches: Switches, now_ms: int) -> msgspec.Raw:
    """A JSON number with all its digits, in one of the ways in which FMEX wrote them."""
    # Zeros were seen as `0.0` in pushes and as `0E-18` in REST.
    java_zero = value == ZERO and now_ms % 2 == 1
    if switches.push_numbers == "plain":
        written = format(cut(value), "f")
    elif switches.push_numbers == "java" or java_zero:
        written = str(cut(value))
    else:
        written = _like_python(value)
    return msgspec.Raw(written.encode())


def _like_python(value: Decimal) -> str:
    """``1.34``, ``0.0``, and ``9.747280117178e-06`` below a ten-thousandth."""
    plain = text(value)
    if value == ZERO or abs(value) >= Decimal("0.0001"):
        return plain if "." in plain else f"{plain}.0"
    sign, digits, _ = Decimal(plain).as_tuple()
    mantissa = str(digits[0]) + ("." + "".join(map(str, digits[1:])) if len(digits) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e-{-value.adjusted():02d}"


# --- pushes --------------------------------------------------------------------------


def account_push(margin: Margin, held: Decimal, switches: Switches, now_ms: int) -> str:
    """Topic `account`."""
    account = {
        "currency": contract.CURRENCY,
        "available": number(margin.available, switches, now_ms),
        "frozen": number(margin.frozen, switches, now_ms),
        "position": number(held, switches, now_ms),
        "updated_at": margin.updated_ms,
    }
    return _push("account", "account", account, switches, now_ms)


def order_push(order: Order, switches: Switches, now_ms: int) -> str:
    """Topic `order.btcusd_p`."""
    told = {
        "id": order.id,
        "quantity": order.quantity,
        "direction": direction(order.is_long),
        "features": int(order.features),
        "price": _tick_number(order.price),
        "fill_price": number(order.fill_price, switches, now_ms),
        "unfilled_quantity": order.quantity - order.filled,
        "symbol": contract.SYMBOL,
        "margin_currency": contract.CURRENCY,
        "fee": number(order.fee, switches, now_ms),
        "type": _type(order),
        "status": str(order.status),
        "trigger_direction": direction(order.trigger_up),
        "trigger_on": _tick_number(order.trigger_on),
        "trailing_base_price": _tick_number(order.trailing_base),
        "trailing_distance": _tick_number(order.trailing_distance),
        "created_at": order.created_ms,
    }
    return _push(f"order.{contract.TOPIC}", "order", told, switches, now_ms)


def position_push(position: Position, switches: Switches, now_ms: int) -> str:
    """Topic `position.btcusd_p`."""
    told = {
        "symbol": contract.SYMBOL,
        "quantity": position.quantity,
        "direction": direction(position.is_long),
        "leverage": position.leverage,
        "risk_level": 0,
        "margin": number(position.margin, switches, now_ms),
        "taker_fee_rate": contract.TAKER_RATE,
        "realized_pnl": number(position.realized, switches, now_ms),
        "entry_price": number(position.entry, switches, now_ms),
        "liquidation_price": number(position.liquidation, switches, now_ms),
        "bankruptcy_price": number(position.bankruptcy, switches, now_ms),
        "minimum_maintenance_margin_rate": contract.MAINTENANCE_RATE,
        "updated_at": position.updated_ms,
    }
    return _push(f"position.{contract.TOPIC}", "position", told, switches, now_ms)


def _push(topic: str, key: str, told: dict[str, Any], switches: Switches, now_ms: int) -> str:
    if switches.extra_fields:
        told = {**told, "user_id": 111246, "note": {"seen": [1, 2.5, None]}}
    return encode({"type": topic, key: told, "ts": now_ms}).decode()


def _tick_number(value: Decimal) -> Decimal:
    """Whole prices without a point, as samples show `price`: 10210 beside 15677.5."""
    return Decimal(text(value))


# --- REST rows ---------------------------------------------------------------------------


def order_row(order: Order, switches: Switches) -> dict[str, Any]:
    """One order."""
    row: dict[str, Any] = {
        "id": order.id,
        "features": int(order.features),
        "price": _tick_number(order.price),
        "fee": cut(order.fee),
        "quantity": order.quantity,
        "unfilled_quantity": order.quantity - order.filled,
        "maker_fee_rate": contract.MAKER_RATE,
        "taker_fee_rate": contract.TAKER_RATE,
        "type": _cased(_type(order), switches),
        "status": _cased(order.status, switches),
        "direction": _cased(direction(order.is_long), switches),
        "trigger_direction": _cased(direction(order.trigger_up), switches),
        "trigger_on": order.trigger_on,
        "trailing_base_price": order.trailing_base,
        "trailing_distance": order.trailing_distance,
        "created_at": order.created_ms,
        "updated_at": order.updated_ms,
    }
    if switches.order_model == "old":
        hidden = bool(order.features & Feature.HIDDEN)
        frozen = cut(order.frozen)
        return row | {"sequenceId": order.id, "frozen_margin": frozen, "hidden": hidden}
    trailing = order.trailing_distance != ZERO
    return row | {
        "fill_price": order.fill_price, "symbol": contract.SYMBOL, "trailing": trailing,
    }  # fmt: skip


def match_row(match: Match) -> dict[str, Any]:
    """One execution, without an id; its quantity is a float there."""
    return {
        "taker": match.taker,
        "price": match.price,
        "quantity": Decimal(match.quantity).quantize(Decimal("0.1")),
        "fee": match.fee,
        "created_at": match.time_ms,
    }


def position_row(position: Position, market: Decimal, switches: Switches) -> dict[str, Any]:
    """One position."""
    open_pnl = ZERO
    if position.quantity:
        open_pnl = contract.profit_of(
            position.quantity, position.entry, market, is_long=position.is_long
        )
    return {
        "direction": _cased(direction(position.is_long), switches),
        "updated_at": position.updated_ms,
        "quantity": position.quantity,
        "leverage": position.leverage,
        "margin_leverage": Decimal(position.leverage),
        "riskLevel": 0,
        "max_quantity": contract.MAX_QUANTITY,
        "realized_pnl": cut(position.realized),
        "unrealized_pnl": open_pnl,
        "taker_fee_rate": contract.TAKER_RATE,
        "margin": cut(position.margin),
        "bankruptcy_price": position.bankruptcy,
        "liquidation_price": position.liquidation,
        "entry_price": position.entry,
        "symbol": contract.SYMBOL,
        "closed": position.quantity == 0,
        "minimum_maintenance_margin_rate": contract.MAINTENANCE_RATE,
    }


def direction(is_long: bool) -> str:
    """FMEX's word for a side."""
    return "LONG" if is_long else "SHORT"


def _type(order: Order) -> str:
    return "MARKET" if order.is_market else "LIMIT"


def _cased(word: str, switches: Switches) -> str:
    return word.lower() if switches.rest_case == "lower" else word


# --- the truth, in the gateway's words -------------------------------------------------


def order_truth(order: Order) -> dict[str, Told]:
    """The state of an order."""
    stop = order.trigger_on != ZERO
    return {
        "symbol": UNIFIED_SYMBOL,
        "venue_symbol": contract.SYMBOL,
        "order_id": str(order.id),
        "client_order_id": None,
        "status": _STATUS_WORDS[order.status],
        "venue_status": str(order.status),
        "final": order.is_final,
        "side": "buy" if order.is_long else "sell",
        "type": "market" if order.is_market else "limit",
        "time_in_force": _time_in_force(order),
        "post_only": bool(order.features & Feature.POST_ONLY),
        "hidden": bool(order.features & Feature.HIDDEN),
        "liquidation": bool(order.features & Feature.LIQUIDATION),
        "price": text(order.price),
        "quantity": str(order.quantity),
        "filled_quantity": str(order.filled),
        "remaining_quantity": str(order.quantity - order.filled),
        "average_price": text(order.fill_price) if order.filled else None,
        "fee": text(order.fee),
        "fee_currency": contract.CURRENCY,
        "trigger_price": text(order.trigger_on) if stop else None,
        "trigger_direction": ("up" if order.trigger_up else "down") if stop else None,
        "trailing_distance": text(order.trailing_distance) if order.trailing_distance else None,
    }


def _time_in_force(order: Order) -> str | None:
    if order.features & Feature.FOK:
        return "fok"
    if order.features & Feature.IOC:
        return "ioc"
    return None if order.is_market else "gtc"


def match_truth(order: Order, match: Match) -> dict[str, Told]:
    """One execution, with the order's cumulative quantity after it."""
    return {
        "symbol": UNIFIED_SYMBOL,
        "venue_symbol": contract.SYMBOL,
        "fill_id": None,
        "order_id": str(order.id),
        "side": "buy" if order.is_long else "sell",
        "price": text(match.price),
        "quantity": str(match.quantity),
        "filled_quantity": str(order.filled),
        "liquidity": "taker" if match.taker else "maker",
        "fee": text(match.fee),
        "fee_currency": contract.CURRENCY,
    }


def margin_truth(margin: Margin, held: Decimal) -> dict[str, Told]:
    """One balance."""
    return {
        "asset": contract.CURRENCY,
        "available": text(margin.available),
        "held": text(margin.frozen),
        "position_margin": text(held),
        "total": text(cut(margin.available) + cut(margin.frozen) + cut(held)),
    }


def position_truth(position: Position) -> dict[str, Told]:
    """One position."""
    side = "long" if position.is_long else "short"
    return {
        "symbol": UNIFIED_SYMBOL,
        "venue_symbol": contract.SYMBOL,
        "side": side if position.quantity else "flat",
        "quantity": str(position.quantity),
        "entry_price": text(position.entry),
        "leverage": str(position.leverage) if position.leverage else None,
        "margin_mode": "isolated" if position.leverage else "cross",
        "margin": text(position.margin),
        "realized_pnl": text(position.realized),
        "liquidation_price": text(position.liquidation),
        "bankruptcy_price": text(position.bankruptcy),
    }
