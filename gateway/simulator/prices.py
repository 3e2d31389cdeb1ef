"""A price that wanders, in whole ticks so that nothing is ever rounded."""

import random
from decimal import Decimal


class PriceWalk:
    """A random walk that is drawn back to where it began."""

    def __init__(self, start: Decimal, tick: Decimal, rng: random.Random) -> None:
        self._home = int(start / tick)
        self._ticks = self._home
        self._tick = tick
        self._rng = rng

    @property
    def price(self) -> Decimal:
        """The price now."""
        return self._ticks * self._tick

    def move(self) -> Decimal:
        """Take one step, of at most a thousandth or a tick."""
        reach = max(1, self._home // 1000)
        pull = (self._home - self._ticks) // 50
        self._ticks = max(1, self._ticks + self._rng.randint(-reach, reach) + pull)
        return self.price

    def jump(self, price: Decimal) -> None:
        """Leap to a price, or to the tick below it."""
        self._ticks = max(1, int(price / self._tick))

    def near(self, low_permille: int, high_permille: int) -> Decimal:
        """A price so many thousandths away from the current one, at least one tick up from zero."""
        away = self._rng.randint(low_permille, high_permille)
        return max(1, self._ticks + self._ticks * away // 1000) * self._tick
