"""The pretend spot market's books: balances, orders, trades, all exact.

Every change keeps free + frozen of an account equal to what came in minus what
went out. Who listens is told after each change, with everything that moved.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum
from typing import Final, Protocol

import msgspec

from gateway.simulator.arithmetic import ZERO, cut

FEE_RATE: Final = Decimal("0.001")
"""LBank's usual rate, taken from what is received."""
KEPT_ORDERS: Final = 20_000
"""Ended orders that one account remembers."""

KINDS: Final = (
    "buy", "sell", "buy_market", "sell_market", "buy_maker", "sell_maker",
    "buy_ioc", "sell_ioc", "buy_fok", "sell_fok",
)  # fmt: skip
"""The ten order types of the REST documents."""


class Status(IntEnum):
    """LBank's numbers."""

    CANCELLED = -1
    OPEN = 0
    PARTLY_FILLED = 1
    FILLED = 2
    PARTLY_CANCELLED = 3
    CANCELLING = 4


class Pair(msgspec.Struct, frozen=True):
    """One trading pair and its accuracies."""

    symbol: str
    start: Decimal
    price_places: int
    quantity_places: int

    @property
    def base(self) -> str:
        """Everything before the *last* underscore."""
        return self.symbol.rpartition("_")[0]

    @property
    def quote(self) -> str:
        """Everything behind it."""
        return self.symbol.rpartition("_")[2]

    @property
    def tick(self) -> Decimal:
        """The smallest step of a price."""
        return Decimal(1).scaleb(-self.price_places)

    @property
    def lot(self) -> Decimal:
        """The smallest quantity."""
        return Decimal(1).scaleb(-self.quantity_places)


class Trade(msgspec.Struct, frozen=True):
    """One execution of one order."""

    tx_uuid: str
    order: str
    pair: Pair
    kind: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    maker: bool
    time_ms: int

    @property
    def value(self) -> Decimal:
        """In quote units."""
        return self.price * self.quantity


class Order(msgspec.Struct):
    """One order. Changed only by the ledger."""

    uuid: str
    account: int
    pair: Pair
    kind: str
    price: Decimal
    """The limit; for a market order the price at the time, as captures show it."""
    amount: Decimal
    """Base units; quote units to spend for `buy_market`."""
    created_ms: int
    updated_ms: int
    custom_id: str = ""
    status: Status = Status.OPEN
    filled: Decimal = ZERO
    spent: Decimal = ZERO
    """Quote value of the fills."""
    trades: list[Trade] = []

    @property
    def is_buy(self) -> bool:
        """The side."""
        return self.kind.startswith("buy")

    @property
    def is_market(self) -> bool:
        """Without a limit price."""
        return self.kind.endswith("_market")

    @property
    def is_by_value(self) -> bool:
        """Whether `amount` is in quote units."""
        return self.kind == "buy_market"

    @property
    def is_final(self) -> bool:
        """Whether no change can follow."""
        return self.status in (Status.CANCELLED, Status.FILLED, Status.PARTLY_CANCELLED)

    @property
    def average(self) -> Decimal:
        """Average price of the fills; 0 before the first."""
        return cut(self.spent / self.filled) if self.filled else ZERO

    @property
    def frozen(self) -> Decimal:
        """What the order still holds: quote for a buy, base for a sell."""
        if self.is_final:
            return ZERO
        if self.is_by_value:
            return self.amount - self.spent
        rest = self.amount - self.filled
        return rest * self.price if self.is_buy else rest


class Holding(msgspec.Struct):
    """One asset of one account."""

    free: Decimal = ZERO
    frozen: Decimal = ZERO


class Listener(Protocol):
    """Who is told of changes."""

    def changed(
        self, order: Order | None, trade: Trade | None, account: int, assets: list[str], reason: str
    ) -> None:
        """Take note: an order (and its trade) changed, and so did these assets."""


class Ledger:
    """The books of all accounts."""

    def __init__(
        self,
        accounts: int,
        listener: Listener,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._listener = listener
        self._now_ms = now_ms
        self._new_id = new_id
        self.holdings: list[dict[str, Holding]] = [{} for _ in range(accounts)]
        self.open: list[dict[str, Order]] = [{} for _ in range(accounts)]
        self.ended: list[dict[str, Order]] = [{} for _ in range(accounts)]

    def holding(self, account: int, asset: str) -> Holding:
        """What an account has of an asset."""
        return self.holdings[account].setdefault(asset, Holding())

    def find(self, account: int, uuid: str) -> Order | None:
        """Any order that is remembered."""
        return self.open[account].get(uuid) or self.ended[account].get(uuid)

    def orders(self, account: int) -> list[Order]:
        """Every order that is remembered, oldest first."""
        both = [*self.ended[account].values(), *self.open[account].values()]
        return sorted(both, key=lambda order: order.created_ms)

    def transfer(self, account: int, asset: str, amount: Decimal) -> None:
        """Deposit, or withdraw a negative amount."""
        self.holding(account, asset).free += amount
        reason = "DEPOSIT" if amount > 0 else "WITHDRAW"
        self._listener.changed(None, None, account, [asset], reason)

    def place(self, order: Order) -> None:
        """Open an order whose cost the account can bear."""
        asset = order.pair.quote if order.is_buy else order.pair.base
        holding = self.holding(order.account, asset)
        holding.free -= order.frozen
        holding.frozen += order.frozen
        self.open[order.account][order.uuid] = order
        self._listener.changed(order, None, order.account, [asset], "ORDER_CREATE")

    def fill(self, order: Order, quantity: Decimal, price: Decimal, *, maker: bool) -> None:
        """Execute a part of an order at a price no worse than its limit."""
        pair, now = order.pair, self._now_ms()
        held = order.frozen
        received = quantity if order.is_buy else quantity * price
        fee = cut(received * FEE_RATE)
        trade = Trade(
            self._new_id(), order.uuid, pair, order.kind, price, quantity, fee, maker, now
        )
        order.trades.append(trade)
        order.filled += quantity
        order.spent += trade.value
        order.updated_ms = now
        if self._is_done(order, price):
            order.status = Status.FILLED
        elif order.status is not Status.CANCELLING:
            order.status = Status.PARTLY_FILLED
        self._settle(order, trade, held)
        self._file(order)
        assets = [pair.base, pair.quote]
        self._listener.changed(order, trade, order.account, assets, "ORDER_DEAL")

    def ask_cancel(self, order: Order) -> None:
        """The cancel is taken but not yet done: a fill may still come between."""
        order.status = Status.CANCELLING
        order.updated_ms = self._now_ms()
        self._listener.changed(order, None, order.account, [], "ORDER_CANCEL")

    def cancel(self, order: Order) -> None:
        """End an order and give back what it held."""
        pair = order.pair
        asset = pair.quote if order.is_buy else pair.base
        holding = self.holding(order.account, asset)
        holding.free += order.frozen
        holding.frozen -= order.frozen
        order.status = Status.PARTLY_CANCELLED if order.filled else Status.CANCELLED
        order.updated_ms = self._now_ms()
        self._file(order)
        self._listener.changed(order, None, order.account, [asset], "ORDER_CANCEL")

    def _is_done(self, order: Order, price: Decimal) -> bool:
        if order.is_by_value:
            return order.amount - order.spent < price * order.pair.lot
        return order.filled == order.amount

    def _settle(self, order: Order, trade: Trade, held_before: Decimal) -> None:
        base = self.holding(order.account, order.pair.base)
        quote = self.holding(order.account, order.pair.quote)
        released = held_before - order.frozen
        if order.is_buy:
            quote.frozen -= released
            quote.free += released - trade.value
            base.free += trade.quantity - trade.fee
        else:
            base.frozen -= released
            quote.free += trade.value - trade.fee

    def _file(self, order: Order) -> None:
        if not order.is_final:
            return
        self.open[order.account].pop(order.uuid, None)
        ended = self.ended[order.account]
        ended[order.uuid] = order
        if len(ended) > KEPT_ORDERS:
            del ended[next(iter(ended))]
