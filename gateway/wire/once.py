"""One for all: what many want in the same moment is done by one of them."""

from collections.abc import Awaitable, Callable
from copy import copy

import trio

from gateway.errors import GatewayError


class OnceForAll:
    """Lets whoever comes first act; the others get what came of it.

    Only what began after somebody asked counts for them: what was under way by then may
    have looked too early.
    """

    def __init__(self) -> None:
        self._lock = trio.StrictFIFOLock()
        self._begun = 0
        self._settled = 0
        """The last one that came to an end, by number; one that was cancelled never does."""
        self._failure: GatewayError | None = None

    async def do(self, act: Callable[[], Awaitable[None]]) -> None:
        """Act, or wait for somebody who does. Raises the `GatewayError` that `act` raised."""
        seen = self._begun
        async with self._lock:
            if self._settled > seen:
                if self._failure is not None:
                    raise copy(self._failure)
                return
            self._begun += 1
            number = self._begun
            try:
                await act()
            except GatewayError as error:
                self._settled, self._failure = number, error
                raise
            self._settled, self._failure = number, None
