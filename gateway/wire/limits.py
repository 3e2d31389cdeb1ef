"""Not too fast: requests per key and host, and new connections per host.

Both hold a FIFO lock while they sleep, so that turns come in the order of asking;
whoever is cancelled while waiting has used up nothing.
"""

import trio


class RateLimiter:
    """At most `per_second` turns a second on average, `burst` of them at once."""

    def __init__(self, per_second: float, burst: int = 1) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("a rate needs per_second > 0 and burst >= 1")
        self._interval = 1 / per_second
        self._slack = (burst - 1) * self._interval
        self._lock = trio.StrictFIFOLock()
        self._due = float("-inf")
        """When the next turn would come if turns were evenly spaced (GCRA)."""

    async def wait_turn(self) -> None:
        """Wait until one more is allowed."""
        async with self._lock:
            await trio.sleep_until(max(trio.current_time(), self._due - self._slack))
            self._due = max(self._due, trio.current_time()) + self._interval


class HostGate:
    """Spreads new connections to the same host over time, for all accounts together.

    It fulfils `gateway.contracts.adapter.ConnectGate`.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, _Door] = {}

    async def wait_turn(self, host: str, per_second: float) -> None:
        """Wait until a connection to `host` may be opened.

        The distance to the next one is the asker's own `per_second`: of two accounts
        with different rates, neither speeds up the other.
        """
        if per_second <= 0:
            raise ValueError("a rate needs per_second > 0")
        door = self._hosts.setdefault(host, _Door())
        async with door.lock:
            await trio.sleep_until(max(trio.current_time(), door.opens_at))
            door.opens_at = trio.current_time() + 1 / per_second


class _Door:
    """Where the connections to one host queue."""

    __slots__ = ("lock", "opens_at")

    def __init__(self) -> None:
        self.lock = trio.StrictFIFOLock()
        self.opens_at = float("-inf")
