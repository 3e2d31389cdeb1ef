"""How the pretend accounts trade, and how the pretend market meets their orders."""

import random
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from adapters.lbank.simulator.ledger import KINDS, Ledger, Order, Pair, Status
from gateway.simulator.arithmetic import ZERO, cut
from gateway.simulator.prices import PriceWalk

PAIRS: Final = {
    pair.symbol: pair
    for pair in (
        Pair("eth_btc", Decimal("0.02455"), 6, 4),
        Pair("btc_usdt", Decimal(64250), 2, 4),
        Pair("eth_usdt", Decimal("1577.4"), 2, 4),
        Pair("lbk_usdt", Decimal("0.009834"), 6, 2),
        Pair("vet_erc20_usdt", Decimal("0.0231"), 5, 1),
    )
}
"""One base holds an underscore, because some on LBank do."""

START: Final = {"btc": "2.5", "eth": "40", "usdt": "100000", "lbk": "500000", "vet_erc20": "80000"}
"""What each account begins with."""

_MOST_OPEN: Final = 8
_KIND_WEIGHTS: Final = (30, 30, 6, 6, 5, 5, 5, 5, 4, 4)
"""How often each of `KINDS` is chosen."""


class Trading:
    """Places, meets and cancels orders, by chance or on request."""

    def __init__(self, ledger: Ledger, rng: random.Random, now_ms: Callable[[], int]) -> None:
        self._ledger = ledger
        self._rng = rng
        self._now_ms = now_ms
        self.prices = {
            symbol: PriceWalk(pair.start, pair.tick, rng) for symbol, pair in PAIRS.items()
        }

    def move(self, account: int) -> None:
        """Let one thing happen to an account."""
        for walk in self.prices.values():
            walk.move()
        open_orders = list(self._ledger.open[account].values())
        chance = self._rng.random()
        if not open_orders or (chance < 0.4 and len(open_orders) < _MOST_OPEN):
            self._place_any(account)
        elif chance < 0.97:
            self._meet(self._rng.choice(open_orders))
        else:
            self._transfer_any(account)

    def new_order(
        self, account: int, pair: Pair, kind: str, price: Decimal, amount: Decimal, custom_id: str
    ) -> Order:
        """Make an order, not yet placed."""
        now = self._now_ms()
        name = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        return Order(name, account, pair, kind, price, amount, now, now, custom_id)

    def is_affordable(self, order: Order) -> bool:
        """Tell whether the account can bear the order, and it is not too small."""
        if order.is_by_value and order.amount < order.price * order.pair.lot:
            return False
        asset = order.pair.quote if order.is_buy else order.pair.base
        return ZERO < order.frozen <= self._ledger.holding(order.account, asset).free

    def place(self, order: Order) -> None:
        """Open the order and let it meet the market at once, if it does."""
        self._ledger.place(order)
        market = self.prices[order.pair.symbol].price
        crosses = order.is_market or (
            order.price >= market if order.is_buy else order.price <= market
        )
        match order.kind.partition("_")[2]:
            case "maker":
                if crosses:
                    self._ledger.cancel(order)
            case "fok":
                if crosses:
                    self._take(order, market, 1)
                else:
                    self._ledger.cancel(order)
            case "ioc":
                if crosses:
                    self._take_some(order, market)
                if not order.is_final:
                    self._ledger.cancel(order)
            case _:
                if crosses:
                    self._take(order, market, self._rng.choice((1, 1, 2, 3)))

    def _place_any(self, account: int) -> None:
        pair = self._rng.choice(tuple(PAIRS.values()))
        kind = self._rng.choices(KINDS, _KIND_WEIGHTS)[0]
        for attempt in (kind, _other_side(kind)):
            order = self._draft(account, pair, attempt)
            if self.is_affordable(order):
                self.place(order)
                return
        self._transfer_any(account)

    def _draft(self, account: int, pair: Pair, kind: str) -> Order:
        walk, is_buy = self.prices[pair.symbol], kind.startswith("buy")
        if kind.endswith("_market"):
            price = walk.price
        else:
            price = walk.near(-5, 1) if is_buy else walk.near(-1, 5)
        asset = pair.quote if is_buy else pair.base
        stake = self._ledger.holding(account, asset).free * self._rng.randint(1, 40) / 1000
        if kind == "buy_market":
            amount = cut(stake, pair.price_places)
        else:
            amount = cut(stake / price if is_buy else stake, pair.quantity_places)
        custom_id = f"desk-{self._rng.getrandbits(32):08x}" if self._rng.random() < 0.5 else ""
        return self.new_order(account, pair, kind, price, amount, custom_id)

    def _meet(self, order: Order) -> None:
        """Something happens to a resting order: a fill, the last fill, or a cancel."""
        chance = self._rng.random()
        if order.status is Status.CANCELLING and chance > 0.3:
            self._ledger.cancel(order)
        elif chance < 0.45:
            self._fill_part(order, order.price, maker=True)
        elif chance < 0.7:
            self._ledger.fill(order, order.amount - order.filled, order.price, maker=True)
        else:
            self._ledger.ask_cancel(order)
            if self._rng.random() < 0.5:
                self._ledger.cancel(order)

    def cancel(self, order: Order) -> None:
        """Cancel an order because its owner asks for it."""
        if order.status is not Status.CANCELLING:
            self._ledger.ask_cancel(order)
        self._ledger.cancel(order)

    def _take(self, order: Order, market: Decimal, parts: int) -> None:
        for _ in range(parts - 1):
            if not order.is_final:
                self._fill_part(order, market, maker=False)
        if not order.is_final:
            self._ledger.fill(order, self._rest(order, market), market, maker=False)

    def _take_some(self, order: Order, market: Decimal) -> None:
        if self._rng.random() < 0.5:
            self._take(order, market, 1)
        else:
            self._fill_part(order, market, maker=False)

    def _fill_part(self, order: Order, price: Decimal, *, maker: bool) -> None:
        rest = self._rest(order, price)
        part = cut(rest * self._rng.randint(10, 90) / 100, order.pair.quantity_places)
        self._ledger.fill(order, part or rest, price, maker=maker)

    def _rest(self, order: Order, price: Decimal) -> Decimal:
        if order.is_by_value:
            return cut((order.amount - order.spent) / price, order.pair.quantity_places)
        return order.amount - order.filled

    def _transfer_any(self, account: int) -> None:
        asset, start = self._rng.choice(tuple(START.items()))
        amount = Decimal(start) / 100
        leaves = self._ledger.holding(account, asset).free > amount and self._rng.random() < 0.5
        self._ledger.transfer(account, asset, -amount if leaves else amount)


def _other_side(kind: str) -> str:
    side, mark, rest = kind.partition("_")
    return ("sell" if side == "buy" else "buy") + mark + rest
