"""Orders that come in over REST, so that people can trade on the pretend LBank."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from adapters.lbank.simulator.ledger import KINDS, Ledger, Order, Pair, Status
from adapters.lbank.simulator.signing import Refusal
from adapters.lbank.simulator.trading import PAIRS, Trading

Query = Mapping[str, str]


class OrderDesk:
    """Places and cancels."""

    def __init__(self, ledger: Ledger, trading: Trading) -> None:
        self._ledger = ledger
        self._trading = trading

    def routes(self) -> dict[str, Callable[[int, Query], Any]]:
        """By path between the version and ``.do``."""
        return {
            "create_order": self._create,
            "supplement/create_order": self._create,
            "supplement/create_order_test": self._test,
            "cancel_order": self._cancel,
            "supplement/cancel_order": self._cancel,
            "supplement/cancel_order_by_symbol": self._cancel_all,
        }

    def _create(self, account: int, query: Query) -> Any:
        order = self._check(account, query)
        self._trading.place(order)
        return {"symbol": order.pair.symbol, "order_id": order.uuid}

    def _test(self, account: int, query: Query) -> Any:
        self._check(account, query)
        return {}

    def _check(self, account: int, query: Query) -> Order:
        pair, kind = _pair(query), query.get("type", "")
        if kind not in KINDS:
            raise Refusal(10015)
        custom_id = query.get("custom_id", "")
        if custom_id and self._knows(account, custom_id):
            raise Refusal(10036)
        price, amount = self._terms(pair, kind, query)
        order = self._trading.new_order(account, pair, kind, price, amount, custom_id)
        if amount < pair.lot and not order.is_by_value:
            raise Refusal(10013)
        if not self._trading.is_affordable(order):
            raise Refusal(10016)
        return order

    def _terms(self, pair: Pair, kind: str, query: Query) -> tuple[Decimal, Decimal]:
        """Price and amount; a market buy brings the quote units to spend as `price`."""
        market = self._trading.prices[pair.symbol].price
        if kind == "buy_market":
            return market, _number(query, "price", pair.price_places)
        amount = _number(query, "amount", pair.quantity_places)
        return market if kind == "sell_market" else _number(
            query, "price", pair.price_places
        ), amount

    def _cancel(self, account: int, query: Query) -> Any:
        pair, custom_id = _pair(query), query.get("origClientOrderId")
        name = query.get("orderId") or query.get("order_id")
        for order in self._ledger.orders(account):
            named = order.uuid == name if name else bool(custom_id) and order.custom_id == custom_id
            if named and order.pair == pair:
                return self._cancel_one(order)
        raise Refusal(10032)

    def _cancel_all(self, account: int, query: Query) -> Any:
        pair = _pair(query)
        orders = list(self._ledger.open[account].values())
        return [self._cancel_one(order) for order in orders if order.pair == pair]

    def _cancel_one(self, order: Order) -> dict[str, Any]:
        if order.is_final:
            raise Refusal(10025 if order.status is Status.FILLED else 10026)
        # The answer shows the state before the cancel takes effect.
        row = {
            "executedQty": order.filled,
            "orderId": order.uuid,
            "price": order.price,
            "origQty": order.amount,
            "tradeType": order.kind,
            "status": int(order.status),
        }
        self._trading.cancel(order)
        return row

    def _knows(self, account: int, custom_id: str) -> bool:
        return any(order.custom_id == custom_id for order in self._ledger.orders(account))


def _pair(query: Query) -> Pair:
    pair = PAIRS.get(query.get("symbol", ""))
    if pair is None:
        raise Refusal(10008)
    return pair


def _number(query: Query, name: str, places: int) -> Decimal:
    try:
        value = Decimal(query.get(name, ""))
    except InvalidOperation:
        raise Refusal(10009) from None
    if not value.is_finite() or value <= 0:
        raise Refusal(10009)
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or -exponent > places or len(digits) > 30:
        raise Refusal(10003)
    return value
