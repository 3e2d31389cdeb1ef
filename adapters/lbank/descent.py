"""Does a list tell the newest orders first? Then its end need not be read.

No document says in what order LBank lists, and an active account's day has thousands
of pages. So what was read of a list decides: only one that has fallen so far, and has
not risen once, is believed to go on falling.
"""

from collections.abc import Iterable

from gateway.contracts.told import Told, ToldOrder
from gateway.events.times import Timestamp, to_nanoseconds


class Descent:
    """The times at which the orders of one list were placed, as far as it was read."""

    def __init__(self) -> None:
        self._last: Timestamp | None = None
        self._has_fallen = False
        self._is_broken = False

    def goes_below(self, since_ns: int, told: Iterable[Told]) -> bool:
        """Read on; true once all that follows was placed before `since_ns`."""
        for each in told:
            self._pass(each.order.created_time if isinstance(each, ToldOrder) else None)
        if self._last is None or self._is_broken or not self._has_fallen:
            return False
        return to_nanoseconds(self._last) < since_ns

    def _pass(self, placed: Timestamp | None) -> None:
        if placed is None or (self._last is not None and placed > self._last):
            self._is_broken = True
        elif self._last is not None and placed < self._last:
            self._has_fallen = True
        self._last = placed
