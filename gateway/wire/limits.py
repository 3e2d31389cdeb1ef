"""Not too fast: requests per key and host, and new connections per host.

All hold a FIFO lock while they sleep, so that turns come in the order of asking;
whoever is cancelled while waiting has used up nothing.
"""

from hashlib import sha256

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

    @property
    def is_rested(self) -> bool:
        """True when it is as good as new: nobody waits, and the whole burst may go at once."""
        return self._due <= trio.current_time()


class RequestLimits:
    """A limiter for each key and host, kept for as long as one has something to remember.

    It fulfils `gateway.contracts.adapter.RequestGate`.
    """

    def __init__(self) -> None:
        self._limiters: dict[tuple[str, bytes], RateLimiter] = {}
        """By host and digest: a key that was rotated away is not kept in memory."""

    async def wait_turn(self, host: str, key: str, *, per_second: float, burst: int) -> None:
        """Wait until a request with `key` may go to `host`."""
        which = (host, sha256(key.encode()).digest())
        if which not in self._limiters:
            self._forget_rested()
            self._limiters[which] = RateLimiter(per_second, burst)
        await self._limiters[which].wait_turn()

    def _forget_rested(self) -> None:
        kept = {which: each for which, each in self._limiters.items() if not each.is_rested}
        self._limiters = kept


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
