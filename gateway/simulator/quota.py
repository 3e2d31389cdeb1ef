"""Documented rate limits, held as windows."""

from collections import defaultdict, deque
from collections.abc import Callable


class Quota:
    """At most `requests` per `seconds` and key."""

    def __init__(self, requests: int, seconds: float, elapsed: Callable[[], float]) -> None:
        self._requests = requests
        self._seconds = seconds
        self._elapsed = elapsed
        self._seen: defaultdict[str, deque[float]] = defaultdict(deque)

    def allows(self, key: str) -> bool:
        """Count one request of `key`, and tell whether it is within the limit."""
        now, seen = self._elapsed(), self._seen[key]
        while seen and seen[0] <= now - self._seconds:
            seen.popleft()
        if len(seen) >= self._requests:
            return False
        seen.append(now)
        return True
