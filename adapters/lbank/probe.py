"""What `gateway check --connect` finds out: whether LBank is there and knows us."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from adapters.lbank.calls import Calls
from adapters.lbank.endpoints import CLOCK_TOLERANCE_SECONDS, Paths
from adapters.lbank.venue_clock import VenueClock
from gateway.contracts.adapter import ProbeFinding
from gateway.errors import ConnectFailed, GatewayError
from gateway.wire.websocket import WebSocket


class Probe:
    """Asks for the time, opens the socket without subscribing, and reads the balances.

    No stream key is created: whether that would void the one of a running gateway is
    not documented.
    """

    def __init__(
        self,
        calls: Calls,
        paths: Paths,
        clock: VenueClock,
        open_socket: Callable[[], AbstractAsyncContextManager[WebSocket]],
    ) -> None:
        self._calls = calls
        self._paths = paths
        self._clock = clock
        self._open_socket = open_socket

    async def run(self) -> list[ProbeFinding]:
        """One finding per question, in order; a failed one does not end the rest."""
        return [
            await _ask("clock", self._ask_time),
            await _ask("websocket", self._connect),
            await _ask("credentials", self._sign),
        ]

    async def _ask_time(self) -> str:
        await self._calls.learn_time()
        offset = self._clock.offset_seconds or 0.0
        if abs(offset) < CLOCK_TOLERANCE_SECONDS:
            return f"LBank answers; its clock is {offset:+.3f} s off ours"
        return f"this machine's clock is {-offset:+.0f} s off; LBank's own time is used to sign"

    async def _connect(self) -> str:
        async with self._open_socket():
            return "name, certificate and upgrade are fine"

    async def _sign(self) -> str:
        await self._calls.ask(self._paths.balances)
        return "LBank accepts the key and the signature"


async def _ask(what: str, question: Callable[[], Awaitable[str]]) -> ProbeFinding:
    try:
        return ProbeFinding(what=what, ok=True, detail=await question())
    except ConnectFailed as error:
        return ProbeFinding(what=error.stage, ok=False, detail=str(error))
    except GatewayError as error:
        return ProbeFinding(what=what, ok=False, detail=str(error))
