"""The pretend futures exchange's books: margin, orders, one net position per account."""

from collections.abc import Callable
from decimal import Decimal
from enum import IntFlag, StrEnum
from typing import Final, Protocol

import msgspec

from adapters.fmex.simulator import contract
from gateway.simulator.arithmetic import ZERO, cut

KEPT_ORDERS: Final = 20_000
"""Ended orders that one account remembers."""


class Status(StrEnum):
    """FMEX's words."""

    PENDING = "PENDING"
    PARTIAL_FILLED = "PARTIAL_FILLED"
    FULLY_FILLED = "FULLY_FILLED"
    PARTIAL_CANCELLED = "PARTIAL_CANCELLED"
    FULLY_CANCELLED = "FULLY_CANCELLED"
    STOP_PENDING = "STOP_PENDING"
    STOP_FAILED = "STOP_FAILED"
    STOP_CANCELLED = "STOP_CANCELLED"


LIVING: Final = (Status.PENDING, Status.PARTIAL_FILLED, Status.STOP_PENDING)


class Feature(IntFlag):
    """Bits of `features`."""

    FOK = 0x01
    POST_ONLY = 0x02
    HIDDEN = 0x04
    IOC = 0x08
    LIQUIDATION = 0x8000


class Match(msgspec.Struct, frozen=True):
    """One execution. FMEX gives it no id."""

    price: Decimal
    quantity: int
    fee: Decimal
    taker: bool
    time_ms: int


class Order(msgspec.Struct):
    """One order. Changed only by the ledger."""

    id: int
    account: int
    is_long: bool
    quantity: int
    price: Decimal
    """The limit; for a market order the bound that the engine set."""
    created_ms: int
    updated_ms: int
    is_market: bool = False
    features: Feature = Feature(0)
    status: Status = Status.PENDING
    trigger_on: Decimal = ZERO
    trigger_up: bool = True
    trailing_base: Decimal = ZERO
    trailing_distance: Decimal = ZERO
    filled: int = 0
    worth: Decimal = ZERO
    """BTC value of the fills."""
    fee: Decimal = ZERO
    frozen: Decimal = ZERO
    matches: list[Match] = []

    @property
    def is_final(self) -> bool:
        """Whether no change can follow."""
        return self.status not in LIVING

    @property
    def fill_price(self) -> Decimal:
        """Average price of the fills; 0 before the first."""
        if len(self.matches) == 1:
            return self.matches[0].price
        return contract.average(self.filled, self.worth)


class Position(msgspec.Struct):
    """The net position of one account."""

    leverage: int
    """0 is cross margin."""
    quantity: int = 0
    is_long: bool = True
    entry: Decimal = ZERO
    margin: Decimal = ZERO
    realized: Decimal = ZERO
    updated_ms: int = 0

    @property
    def liquidation(self) -> Decimal:
        """Liquidation price; 0 when flat or cross."""
        return self._distress(contract.liquidation_price)

    @property
    def bankruptcy(self) -> Decimal:
        """Bankruptcy price; 0 when flat or cross."""
        return self._distress(contract.bankruptcy_price)

    def _distress(self, formula: Callable[..., Decimal]) -> Decimal:
        if self.quantity == 0 or self.leverage == 0:
            return ZERO
        return formula(self.quantity, self.entry, self.margin, is_long=self.is_long)


class Margin(msgspec.Struct):
    """The BTC of one account."""

    available: Decimal
    frozen: Decimal = ZERO
    updated_ms: int = 0


class Listener(Protocol):
    """Who is told of changes."""

    def order_changed(self, order: Order, match: Match | None) -> None:
        """An order changed, by this execution if there is one."""

    def position_changed(self, account: int) -> None:
        """A position changed."""

    def margin_changed(self, account: int) -> None:
        """The balance of an account changed."""


class Ledger:
    """The books of all accounts."""

    def __init__(
        self, margins: list[Decimal], listener: Listener, now_ms: Callable[[], int]
    ) -> None:
        self._listener = listener
        self._now_ms = now_ms
        now = now_ms()
        self.margins = [Margin(amount, updated_ms=now) for amount in margins]
        self.positions = [
            Position(leverage=0 if index % 2 else 50, updated_ms=now)
            for index in range(len(margins))
        ]
        self.open: list[dict[int, Order]] = [{} for _ in margins]
        self.ended: list[dict[int, Order]] = [{} for _ in margins]

    def find(self, account: int, order_id: int) -> Order | None:
        """Any order that is remembered."""
        return self.open[account].get(order_id) or self.ended[account].get(order_id)

    def cost_of(self, order: Order) -> Decimal:
        """What the rest of an order has to freeze: margin, and the fee both ways."""
        rest = contract.value_of(order.quantity - order.filled, order.price)
        leverage = self.positions[order.account].leverage or contract.MAX_LEVERAGE
        return cut(rest / leverage + 2 * rest * contract.TAKER_RATE)

    def transfer(self, account: int, amount: Decimal) -> None:
        """Deposit, or withdraw a negative amount."""
        self.margins[account].available += amount
        self._tell_margin(account)

    def place(self, order: Order) -> None:
        """Open an order. A waiting stop freezes nothing."""
        if order.status is Status.PENDING:
            self._freeze(order, self.cost_of(order))
        self.open[order.account][order.id] = order
        self._listener.order_changed(order, None)
        if order.frozen:
            self._tell_margin(order.account)

    def match(self, order: Order, quantity: int, price: Decimal, *, taker: bool) -> None:
        """Execute a part of an order."""
        account, now = order.account, self._now_ms()
        value = contract.value_of(quantity, price)
        rate = contract.TAKER_RATE if taker else contract.MAKER_RATE
        match = Match(price, quantity, contract.fee_of(value, rate), taker, now)
        order.matches.append(match)
        order.filled += quantity
        order.worth += Decimal(quantity) / price
        order.fee += match.fee
        done = order.filled == order.quantity
        self._end(order, Status.FULLY_FILLED if done else Status.PARTIAL_FILLED)
        self._freeze(order, ZERO if done else self.cost_of(order))
        self._move_position(account, quantity, match, is_long=order.is_long)
        self._listener.order_changed(order, match)
        self._listener.position_changed(account)
        self._tell_margin(account)

    def cancel(self, order: Order) -> None:
        """End an order and give back what it froze."""
        if order.status is Status.STOP_PENDING:
            status = Status.STOP_CANCELLED
        else:
            status = Status.PARTIAL_CANCELLED if order.filled else Status.FULLY_CANCELLED
        self._end(order, status)
        had_frozen = bool(order.frozen)
        self._freeze(order, ZERO)
        self._listener.order_changed(order, None)
        if had_frozen:
            self._tell_margin(order.account)

    def fail_stop(self, order: Order) -> None:
        """A stop was triggered but could not be placed."""
        self._end(order, Status.STOP_FAILED)
        self._listener.order_changed(order, None)

    def trigger(self, order: Order) -> None:
        """A stop becomes an ordinary order under its own id."""
        order.status = Status.PENDING
        order.updated_ms = self._now_ms()
        self._freeze(order, self.cost_of(order))
        self._listener.order_changed(order, None)
        self._tell_margin(order.account)

    def replace_stop(self, order: Order) -> None:
        """A stop ends because an order with another id takes its place."""
        self._end(order, Status.STOP_CANCELLED)
        self._listener.order_changed(order, None)

    def _freeze(self, order: Order, amount: Decimal) -> None:
        margin = self.margins[order.account]
        margin.available += order.frozen - amount
        margin.frozen += amount - order.frozen
        order.frozen = amount

    def _end(self, order: Order, status: Status) -> None:
        order.status = status
        order.updated_ms = self._now_ms()
        if not order.is_final:
            return
        self.open[order.account].pop(order.id, None)
        ended = self.ended[order.account]
        ended[order.id] = order
        if len(ended) > KEPT_ORDERS:
            del ended[next(iter(ended))]

    def _tell_margin(self, account: int) -> None:
        self.margins[account].updated_ms = self._now_ms()
        self._listener.margin_changed(account)

    # --- position ----------------------------------------------------------------

    def _move_position(self, account: int, quantity: int, match: Match, *, is_long: bool) -> None:
        position, margin = self.positions[account], self.margins[account]
        margin.available -= match.fee
        closing = min(quantity, position.quantity) if position.is_long != is_long else 0
        if position.quantity == 0:
            position.realized = ZERO
        if closing:
            self._reduce(position, margin, closing, match.price)
        position.realized -= match.fee
        if quantity > closing:
            if closing:
                position.realized = ZERO
            self._increase(position, margin, quantity - closing, match.price, is_long=is_long)
        position.updated_ms = match.time_ms

    def _increase(
        self, position: Position, margin: Margin, quantity: int, price: Decimal, *, is_long: bool
    ) -> None:
        worth = Decimal(quantity) / price
        if position.quantity:
            together = Decimal(position.quantity) / position.entry + worth
            position.entry = contract.average(position.quantity + quantity, together)
        else:
            position.entry = price
        position.quantity += quantity
        position.is_long = is_long
        stake = cut(worth / (position.leverage or contract.MAX_LEVERAGE))
        position.margin += stake
        margin.available -= stake

    def _reduce(self, position: Position, margin: Margin, quantity: int, price: Decimal) -> None:
        profit = contract.profit_of(quantity, position.entry, price, is_long=position.is_long)
        back = cut(position.margin * quantity / position.quantity)
        position.margin -= back
        position.quantity -= quantity
        position.realized += profit
        margin.available += back + profit
        if position.quantity == 0:
            position.entry = ZERO
