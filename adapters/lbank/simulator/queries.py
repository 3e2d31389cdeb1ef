"""What the pretend LBank's REST side tells: pairs, balances, orders, trades."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from adapters.lbank.simulator import words
from adapters.lbank.simulator.ledger import Ledger, Order, Status, Trade
from adapters.lbank.simulator.signing import Refusal
from adapters.lbank.simulator.switches import Switches
from adapters.lbank.simulator.trading import PAIRS, START, Trading
from gateway.simulator.arithmetic import text

MAX_PAGE: Final = 200
MAX_TRADES: Final = 100
_DAY_MS: Final = 86_400_000
_MAX_WINDOW: Final = timedelta(days=2)
_ZONE: Final = timezone(timedelta(hours=8))
"""Dates in requests are LBank's own time."""

Query = Mapping[str, str]


class Queries:
    """Reads the books for whoever may see them."""

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

    def public_routes(self) -> dict[str, Callable[[Query], Any]]:
        """By whole path; nobody has to sign."""
        return {
            "/v2/timestamp.do": lambda _: self._now_ms(),
            "/v2/currencyPairs.do": lambda _: list(PAIRS),
            "/v2/accuracy.do": lambda _: self._accuracy(),
            "/v2/withdrawConfigs.do": lambda _: self._withdraw_configs(),
            "/v2/supplement/system_status.do": lambda _: {"status": "1"},
            "/v2/supplement/system_ping.do": lambda _: {},
            "/v2/supplement/ticker/price.do": self._prices,
            # ccxt asks for the contracts too; a spot venue has none.
            "/cfd/openApi/v1/pub/instrument": lambda _: [],
        }

    def private_routes(self) -> dict[str, Callable[[int, Query], Any]]:
        """By path between the version and ``.do``."""
        return {
            "orders_info_no_deal": self._old_open_orders,
            "orders_info": self._old_orders,
            "orders_info_history": self._old_history,
            "order_transaction_detail": self._order_trades,
            "transaction_history": self._old_trades,
            "user_info": self._user_info,
            "supplement/orders_info_no_deal": self._open_orders,
            "supplement/orders_info": self._order,
            "spot/trade/orders_info": self._order,
            "supplement/orders_info_history": self._history,
            "spot/trade/orders_info_history": self._history,
            "supplement/transaction_history": self._trades,
            "supplement/user_info": self._coins,
            "supplement/user_info_account": self._balances,
            "supplement/api_Restrictions": self._restrictions,
        }

    # --- public ------------------------------------------------------------------------

    def _accuracy(self) -> Any:
        return [
            {
                "symbol": pair.symbol,
                "quantityAccuracy": str(pair.quantity_places),
                "minTranQua": text(pair.lot),
                "priceAccuracy": str(pair.price_places),
            }
            for pair in PAIRS.values()
        ]

    def _withdraw_configs(self) -> Any:
        return [
            {"assetCode": asset, "min": "1", "canWithDraw": True, "fee": "0.1", "amountScale": "4"}
            for asset in START
        ]

    def _prices(self, query: Query) -> Any:
        asked = query.get("symbol")
        return [
            {"symbol": symbol, "price": text(walk.price)}
            for symbol, walk in self._trading.prices.items()
            if asked in (None, "all", symbol)
        ]

    # --- balances ----------------------------------------------------------------------

    def _balances(self, account: int, _: Query) -> Any:
        return {
            "uid": f"SIM{account:08}",
            "canTrade": True,
            "balances": [
                {"asset": asset, "free": text(holding.free), "locked": text(holding.frozen)}
                for asset, holding in self._ledger.holdings[account].items()
            ],
        }

    def _coins(self, account: int, _: Query) -> Any:
        return [
            {
                "coin": asset,
                "assetAmt": text(holding.free + holding.frozen),
                "usableAmt": text(holding.free),
                "freezeAmt": text(holding.frozen),
                "networkList": [],
            }
            for asset, holding in self._ledger.holdings[account].items()
        ]

    def _user_info(self, account: int, _: Query) -> Any:
        held = self._ledger.holdings[account]
        return {
            "toBtc": {},
            "freeze": {asset: text(holding.frozen) for asset, holding in held.items()},
            "asset": {
                asset: text(holding.free + holding.frozen) for asset, holding in held.items()
            },
            "free": {asset: text(holding.free) for asset, holding in held.items()},
        }

    def _restrictions(self, _account: int, _: Query) -> Any:
        return {"enableSpotTrading": True, "enableReading": True, "ipRestrict": False}

    # --- orders --------------------------------------------------------------------------

    def _open_orders(self, account: int, query: Query) -> Any:
        return _page(query, [words.order_row(order) for order in self._open(account, query)])

    def _old_open_orders(self, account: int, query: Query) -> Any:
        return _page(query, [words.old_order_row(order) for order in self._open(account, query)])

    def _order(self, account: int, query: Query) -> Any:
        symbol = _symbol(query)
        name, custom_id = query.get("orderId"), query.get("origClientOrderId")
        if not name and not custom_id:
            raise Refusal(10001)
        for order in self._ledger.orders(account):
            same = order.uuid == name if name else order.custom_id == custom_id
            if same and order.pair.symbol == symbol:
                return words.order_row(order)
        raise Refusal(10032)

    def _old_orders(self, account: int, query: Query) -> Any:
        symbol, names = _symbol(query), query.get("order_id", "").split(",")
        if len(names) > 3:
            raise Refusal(10019)
        found = [self._ledger.find(account, name) for name in names]
        return [
            words.old_order_row(order) for order in found if order and order.pair.symbol == symbol
        ]

    def _history(self, account: int, query: Query) -> Any:
        """Orders placed within 24 h; without a status only those that ended."""
        young = self._now_ms() - _DAY_MS
        rows = [
            words.order_row(order, with_custom_id=False)
            for order in self._in_history(account, query)
            if order.created_ms >= young
        ]
        return _page(query, rows)

    def _old_history(self, account: int, query: Query) -> Any:
        week = self._now_ms() - 7 * _DAY_MS
        orders = self._in_history(account, query)
        rows = [words.old_order_row(order) for order in orders if order.created_ms >= week]
        return _page(query, rows)

    def _in_history(self, account: int, query: Query) -> list[Order]:
        symbol, status = _symbol(query), query.get("status")
        default = {Status.CANCELLED, Status.FILLED}
        if self._switches().history == "all":
            default.add(Status.PARTLY_CANCELLED)
        return [
            order
            for order in reversed(self._ledger.orders(account))
            if order.pair.symbol == symbol
            and (str(int(order.status)) == status if status else order.status in default)
        ]

    def _open(self, account: int, query: Query) -> Iterable[Order]:
        symbol = _symbol(query)
        orders = reversed(self._ledger.open[account].values())
        return (order for order in orders if order.pair.symbol == symbol)

    # --- trades --------------------------------------------------------------------------

    def _order_trades(self, account: int, query: Query) -> Any:
        _symbol(query)
        order = self._ledger.find(account, query.get("order_id", ""))
        if order is None:
            raise Refusal(10032)
        return [words.old_trade_row(trade) for trade in order.trades]

    def _trades(self, account: int, query: Query) -> Any:
        rows = self._window(account, query, query.get("startTime"), query.get("endTime"))
        switches = self._switches()
        return _from_id(
            [words.trade_row(trade, switches) for trade in rows], "id", query.get("fromId")
        )[: _size(query.get("limit"), MAX_TRADES)]

    def _old_trades(self, account: int, query: Query) -> Any:
        trades = self._window(account, query, query.get("start_date"), query.get("end_date"))
        rows = [words.old_trade_row(trade) for trade in trades]
        if query.get("direct") == "prev":
            rows.reverse()
        limit = _size(query.get("size"), MAX_TRADES)
        return _from_id(rows, "txUuid", query.get("from"))[:limit]

    def _window(
        self, account: int, query: Query, start: str | None, end: str | None
    ) -> list[Trade]:
        """The trades of a pair between two times in UTC+8, at most two days apart."""
        symbol = _symbol(query)
        today = datetime.fromtimestamp(self._now_ms() / 1000, _ZONE).date()
        first = _moment(start or str(today - timedelta(days=1)), ends=False)
        last = _moment(end or str(today), ends=True)
        if last - first > _MAX_WINDOW + timedelta(seconds=1):
            raise Refusal(10028)
        low, high = first.timestamp() * 1000, last.timestamp() * 1000
        trades = [
            trade
            for order in self._ledger.orders(account)
            for trade in order.trades
            if order.pair.symbol == symbol and low <= trade.time_ms <= high
        ]
        return sorted(trades, key=lambda trade: trade.time_ms)


def _symbol(query: Query) -> str:
    symbol = query.get("symbol", "")
    if not symbol:
        raise Refusal(10001)
    if symbol not in PAIRS:
        raise Refusal(10008)
    return symbol


def _size(text: str | None, most: int) -> int:
    if text is None:
        return most
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise Refusal(10018)
    return int(text)


def _page(query: Query, rows: list[Any]) -> Any:
    """One page, with a `total` that counts pages, as live answers do."""
    number, size = query.get("current_page", ""), _size(query.get("page_length"), MAX_PAGE)
    if not number.isdecimal() or int(number) < 1:
        raise Refusal(10003)
    first = (int(number) - 1) * size
    return {
        "total": -(-len(rows) // size),
        "page_length": size,
        "orders": rows[first : first + size],
        "current_page": int(number),
    }


def _from_id(rows: list[dict[str, Any]], name: str, start: str | None) -> list[dict[str, Any]]:
    """The rows behind the one that is named; whether it should be among them is not documented."""
    positions = [index for index, row in enumerate(rows) if row[name] == start]
    return rows[positions[0] + 1 :] if start and positions else rows


def _moment(text: str, *, ends: bool) -> datetime:
    """``yyyy-MM-dd`` (as an end: that whole day) or ``yyyy-MM-dd HH:mm:ss``, in UTC+8."""
    try:
        if len(text) == len("yyyy-MM-dd"):
            day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=_ZONE)
            return day + timedelta(days=1, milliseconds=-1) if ends else day
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_ZONE)
    except ValueError:
        raise Refusal(10028) from None
