"""How the pretend accounts trade futures, and how the pretend market meets their orders."""

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Final, Literal

from adapters.fmex.simulator import contract
from adapters.fmex.simulator.ledger import Feature, Ledger, Order, Status
from gateway.simulator.arithmetic import ZERO
from gateway.simulator.prices import PriceWalk

FIRST_ID: Final = 849_758_102_002
"""Order ids in samples have 12 digits."""
_MOST_OPEN: Final = 8
_BIG_POSITION: Final = 10_000
_BOUND: Final = Decimal("1.1")
"""A market order's `price` is a bound about a tenth away (sample: 1.0993 times)."""
_STYLES: Final = ("limit", "market", "ioc", "fok", "post_only", "hidden", "stop", "trailing")
_STYLE_WEIGHTS: Final = (45, 15, 7, 6, 8, 4, 10, 5)


class Trading:
    """Places, meets, triggers and cancels orders, by chance or on request."""

    def __init__(
        self,
        ledger: Ledger,
        rng: random.Random,
        now_ms: Callable[[], int],
        stop_trigger: Callable[[], Literal["same_id", "new_id"]],
    ) -> None:
        self._ledger = ledger
        self._rng = rng
        self._now_ms = now_ms
        self._stop_trigger = stop_trigger
        self._last_id = FIRST_ID
        self.price = PriceWalk(contract.START, contract.TICK, rng)

    def move(self, account: int) -> None:
        """Let one thing happen to an account."""
        self.price.move()
        self._liquidate_if_due(account)
        self._trigger_stops(account)
        orders = list(self._ledger.open[account].values())
        chance = self._rng.random()
        if not orders or (chance < 0.4 and len(orders) < _MOST_OPEN):
            self._place_any(account)
        elif chance < 0.98:
            self._meet(self._rng.choice(orders))
        elif chance < 0.99:
            self._transfer_any(account)
        else:
            self._shake(account)

    def new_order(self, account: int, *, is_long: bool, quantity: int, price: Decimal) -> Order:
        """Make an order, not yet placed."""
        self._last_id += self._rng.randint(1, 9_999)
        now = self._now_ms()
        return Order(self._last_id, account, is_long, quantity, price, now, now)

    def market_order(self, account: int, *, is_long: bool, quantity: int) -> Order:
        """Make an order at the market; its price is the engine's bound."""
        market = self.price.price
        bound = market * _BOUND if is_long else market / _BOUND
        ticks = bound // contract.TICK
        order = self.new_order(
            account, is_long=is_long, quantity=quantity, price=ticks * contract.TICK
        )
        order.is_market = True
        order.features = Feature.IOC
        return order

    def is_affordable(self, order: Order) -> bool:
        """Tell whether the account can freeze what the order needs."""
        return self._ledger.cost_of(order) <= self._ledger.margins[order.account].available

    def place(self, order: Order) -> None:
        """Open the order and let it meet the market at once, if it does."""
        self._ledger.place(order)
        if order.status is Status.PENDING:
            self._meet_market(order)

    # --- what meets what -------------------------------------------------------------

    def _meet_market(self, order: Order) -> None:
        market = self.price.price
        crosses = order.is_market or (
            order.price >= market if order.is_long else order.price <= market
        )
        if not crosses:
            if order.features & (Feature.IOC | Feature.FOK):
                self._ledger.cancel(order)
            return
        if order.features & Feature.POST_ONLY:
            self._ledger.cancel(order)
        elif order.features & Feature.FOK:
            self._ledger.match(order, order.quantity, market, taker=True)
        else:
            self._take(order, market)

    def _take(self, order: Order, market: Decimal) -> None:
        """Meet up to three offers, each a tick worse; an IOC order may find too few."""
        step = contract.TICK if order.is_long else -contract.TICK
        short = bool(order.features & Feature.IOC) and not order.is_market
        for depth in range(self._rng.choice((1, 1, 2, 3)) - 1):
            offer = market + depth * step
            worse = offer > order.price if order.is_long else offer < order.price
            if not order.is_final and not worse:
                self._match_part(order, offer, taker=True)
        if order.is_final:
            return
        if short and self._rng.random() < 0.5:
            self._ledger.cancel(order)
        else:
            self._ledger.match(order, order.quantity - order.filled, market, taker=True)

    def _meet(self, order: Order) -> None:
        """Something happens to a resting order: a fill, the last fill, or a cancel."""
        chance = self._rng.random()
        if order.status is Status.STOP_PENDING:
            if chance < 0.3:
                self._ledger.cancel(order)
        elif chance < 0.45:
            self._match_part(order, order.price, taker=False)
        elif chance < 0.75:
            self._ledger.match(order, order.quantity - order.filled, order.price, taker=False)
        else:
            self._ledger.cancel(order)

    def _match_part(self, order: Order, price: Decimal, *, taker: bool) -> None:
        rest = order.quantity - order.filled
        self._ledger.match(order, self._rng.randint(1, rest), price, taker=taker)

    def _trigger_stops(self, account: int) -> None:
        market = self.price.price
        for order in list(self._ledger.open[account].values()):
            if order.status is not Status.STOP_PENDING:
                continue
            due = market >= order.trigger_on if order.trigger_up else market <= order.trigger_on
            if due:
                self._trigger(order)

    def _trigger(self, order: Order) -> None:
        if not self.is_affordable(order) or self._rng.random() < 0.1:
            self._ledger.fail_stop(order)
        elif self._stop_trigger() == "same_id":
            self._ledger.trigger(order)
            self._meet_market(order)
        else:
            self._ledger.replace_stop(order)
            self.place(
                self.new_order(
                    order.account,
                    is_long=order.is_long,
                    quantity=order.quantity,
                    price=order.price,
                )
            )

    # --- chance ------------------------------------------------------------------------

    def _place_any(self, account: int) -> None:
        position = self._ledger.positions[account]
        is_long = self._rng.random() < 0.5
        if position.quantity > _BIG_POSITION:
            is_long = not position.is_long
        order = self._draft(account, is_long=is_long)
        if self.is_affordable(order):
            self.place(order)
        else:
            self._transfer_any(account)

    def _draft(self, account: int, *, is_long: bool) -> Order:
        style = self._rng.choices(_STYLES, _STYLE_WEIGHTS)[0]
        quantity = self._rng.randint(1, 2_000)
        if style == "market":
            return self.market_order(account, is_long=is_long, quantity=quantity)
        price = self.price.near(-4, 1) if is_long else self.price.near(-1, 4)
        order = self.new_order(account, is_long=is_long, quantity=quantity, price=price)
        match style:
            case "ioc":
                order.features = Feature.IOC
            case "fok":
                order.features = Feature.FOK
            case "post_only":
                order.features = Feature.POST_ONLY
            case "hidden":
                order.features = Feature.HIDDEN
            case "stop" | "trailing":
                self._make_stop(order, trailing=style == "trailing")
        return order

    def _make_stop(self, order: Order, *, trailing: bool) -> None:
        order.status = Status.STOP_PENDING
        order.trigger_up = order.is_long
        order.trigger_on = self.price.near(1, 4) if order.is_long else self.price.near(-4, -1)
        if trailing:
            order.trailing_base = self.price.price
            order.trailing_distance = abs(order.trigger_on - order.trailing_base)

    def _transfer_any(self, account: int) -> None:
        amount = Decimal(self._rng.randint(1, 10**17)).scaleb(-18)
        rich = self._ledger.margins[account].available > 1 + amount
        self._ledger.transfer(account, -amount if rich and self._rng.random() < 0.5 else amount)

    def _shake(self, account: int) -> None:
        """A long needle in the chart: the price touches where the position is liquidated."""
        position = self._ledger.positions[account]
        far = position.liquidation
        if ZERO < far < contract.OVER_MARGINED:
            self.price.jump(far + (-2 if position.is_long else 2) * contract.TICK)
            self._liquidate_if_due(account)
            self.price.jump(contract.START)

    def _liquidate_if_due(self, account: int) -> None:
        position, market = self._ledger.positions[account], self.price.price
        limit = position.liquidation
        if limit == ZERO or (market > limit if position.is_long else market < limit):
            return
        order = self.market_order(account, is_long=not position.is_long, quantity=position.quantity)
        order.features = Feature.IOC | Feature.LIQUIDATION
        self._ledger.place(order)
        self._ledger.match(order, order.quantity, market, taker=True)
