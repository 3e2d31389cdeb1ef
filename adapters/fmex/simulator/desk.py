"""What the pretend FMEX's REST side tells and does: accounts, positions, orders."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from adapters.fmex.simulator import contract, words
from adapters.fmex.simulator.ledger import Feature, Ledger, Order, Status
from adapters.fmex.simulator.refusal import Refusal
from adapters.fmex.simulator.switches import Switches
from adapters.fmex.simulator.trading import Trading
from gateway.simulator.arithmetic import cut
from gateway.simulator.dialect import Request

MAX_PAGE: Final = 100
_BAD_REQUEST: Final = 400
_NOT_FOUND: Final = 404
_CHINA: Final = timezone(timedelta(hours=8))


class NewOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What `POST /v3/contracts/orders` brings; other fields are not looked at."""

    symbol: str
    direction: str
    quantity: int
    type: str = "LIMIT"
    price: Decimal = Decimal(0)
    post_only: bool = False
    hidden: bool = False


class Desk:
    """Handlers of the signed paths. Each takes account, request and the id in the path."""

    def __init__(
        self,
        ledger: Ledger,
        trading: Trading,
        now_ms: Callable[[], int],
        switches: Callable[[], Switches],
    ) -> None:
        self._ledger = ledger
        self._trading = trading
        self._now_ms = now_ms
        self._switches = switches

    # --- what is held ----------------------------------------------------------------

    def accounts(self, account: int, _request: Request, _id: int) -> Any:
        """Available, frozen and position margin per currency; no time is told."""
        margin, position = self._ledger.margins[account], self._ledger.positions[account]
        parts = (margin.available, margin.frozen, position.margin)
        return {contract.CURRENCY: [cut(part) for part in parts]}

    def positions(self, account: int, _request: Request, _id: int) -> Any:
        """Today's path."""
        if not self._switches().broker_positions:
            raise Refusal(_NOT_FOUND)
        return self._positions(account)

    def old_positions(self, account: int, _request: Request, _id: int) -> Any:
        """The path of before 2019-09."""
        if not self._switches().old_positions:
            raise Refusal(_NOT_FOUND)
        return self._positions(account)

    def _positions(self, account: int) -> Any:
        position, switches = self._ledger.positions[account], self._switches()
        if position.quantity == 0 and not switches.closed_positions:
            return {"results": []}
        return {"results": [words.position_row(position, self._trading.price.price, switches)]}

    # --- orders ------------------------------------------------------------------------

    def open_orders(self, account: int, _request: Request, _id: int) -> Any:
        """All of them; there is no paging."""
        switches = self._switches()
        shown = [
            words.order_row(order, switches)
            for order in reversed(self._ledger.open[account].values())
            if switches.stops_in_open or order.status is not Status.STOP_PENDING
        ]
        return {"results": shown}

    def open_order(self, account: int, _request: Request, order_id: int) -> Any:
        """One order, if it is open."""
        order = self._find(account, order_id)
        if order.is_final:
            raise Refusal(1797)
        return words.order_row(order, self._switches())

    def order(self, account: int, _request: Request, order_id: int) -> Any:
        """One order, open or not."""
        return words.order_row(self._find(account, order_id), self._switches())

    def matches(self, account: int, _request: Request, order_id: int) -> Any:
        """The executions of one order, oldest first."""
        return {"results": [words.match_row(m) for m in self._find(account, order_id).matches]}

    def closed_orders(self, account: int, request: Request, _id: int) -> Any:
        """One month's orders that have ended, newest first, page by page."""
        query = request.query
        month = query.get("range") or self._month(self._now_ms())
        offset, limit = query.get("offsetId", "0"), query.get("limit", str(MAX_PAGE))
        if not (offset.isdecimal() and limit.isdecimal() and 1 <= int(limit) <= MAX_PAGE):
            raise Refusal(_BAD_REQUEST)
        orders = [
            order
            for order in self._ledger.ended[account].values()
            if self._is_filed_under(order, month) and (offset == "0" or order.id < int(offset))
        ]
        orders.sort(key=lambda order: order.id, reverse=True)
        page = orders[: int(limit)]
        return {
            "range": month,
            "hasMore": len(orders) > len(page),
            "nextOffsetId": page[-1].id if page else 0,
            "results": [words.order_row(order, self._switches()) for order in page],
        }

    def _is_filed_under(self, order: Order, month: str) -> bool:
        created = self._switches().month_of == "created"
        return self._month(order.created_ms if created else order.updated_ms) == month

    def _month(self, time_ms: int) -> str:
        zone = UTC if self._switches().month_zone == "utc" else _CHINA
        return datetime.fromtimestamp(time_ms / 1000, zone).strftime("%Y%m")

    def _find(self, account: int, order_id: int) -> Order:
        order = self._ledger.find(account, order_id)
        if order is None:
            raise Refusal(1797)
        return order

    # --- trading -------------------------------------------------------------------------

    def create(self, account: int, request: Request, _id: int) -> Any:
        """Place an order."""
        try:
            asked = msgspec.json.decode(request.body, type=NewOrder, strict=False)
        except (msgspec.MsgspecError, InvalidOperation):
            raise Refusal(_BAD_REQUEST) from None
        order = self._make(account, asked)
        if not self._trading.is_affordable(order):
            raise Refusal(1016)
        self._trading.place(order)
        return words.order_row(order, self._switches())

    def _make(self, account: int, asked: NewOrder) -> Order:
        is_long = asked.direction.upper() == "LONG"
        known = asked.symbol.upper() == contract.SYMBOL and asked.direction.upper() in (
            "LONG",
            "SHORT",
        )
        if not known or not 1 <= asked.quantity <= contract.MAX_QUANTITY:
            raise Refusal(_BAD_REQUEST)
        if asked.type.upper() == "MARKET":
            return self._trading.market_order(account, is_long=is_long, quantity=asked.quantity)
        if (
            not asked.price.is_finite()
            or not 0 < asked.price < 10**9
            or asked.price % contract.TICK
        ):
            raise Refusal(_BAD_REQUEST)
        order = self._trading.new_order(
            account, is_long=is_long, quantity=asked.quantity, price=asked.price
        )
        order.features = (Feature.POST_ONLY if asked.post_only else Feature(0)) | (
            Feature.HIDDEN if asked.hidden else Feature(0)
        )
        return order

    def cancel(self, account: int, _request: Request, order_id: int) -> Any:
        """Cancel an order."""
        order = self._find(account, order_id)
        if order.is_final:
            raise Refusal(3008)
        self._ledger.cancel(order)
        return words.order_row(order, self._switches())
