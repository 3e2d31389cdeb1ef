"""`gateway check --connect`: can this account be followed? Subscribes to nothing."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from adapters.fmex.calls import Calls
from adapters.fmex.endpoints import ACCOUNTS_PATH, CLOCK_TOLERANCE_SECONDS
from adapters.fmex.venue_clock import VenueClock
from gateway.contracts.adapter import ProbeFinding
from gateway.errors import ConnectFailed, StreamError
from gateway.wire.websocket import WebSocket

Connect = Callable[[], AbstractAsyncContextManager[WebSocket]]


async def probe(calls: Calls, clock: VenueClock, connect: Connect) -> list[ProbeFinding]:
    """Check the venue's time, the key and the stream; each finding stands by itself."""
    return [
        await _probe_clock(calls, clock),
        await _probe_credentials(calls),
        await _probe_stream(connect),
    ]


async def _probe_clock(calls: Calls, clock: VenueClock) -> ProbeFinding:
    try:
        await calls.learn_clock()
    except StreamError as error:
        return ProbeFinding(what="clock", ok=False, detail=str(error))
    offset = clock.offset_seconds or 0.0
    # Signatures follow the venue's clock, so a difference is worth a word, not a failure.
    far = abs(offset) >= CLOCK_TOLERANCE_SECONDS
    advice = "; corrected, but have the machine's clock set" if far else ""
    detail = f"the venue's clock is {offset:+.3f} s from ours{advice}"
    return ProbeFinding(what="clock", ok=True, detail=detail)


async def _probe_credentials(calls: Calls) -> ProbeFinding:
    try:
        await calls.read(ACCOUNTS_PATH)
    except StreamError as error:
        return ProbeFinding(what="credentials", ok=False, detail=str(error))
    return ProbeFinding(what="credentials", ok=True, detail="the key may read this account")


async def _probe_stream(connect: Connect) -> ProbeFinding:
    try:
        async with connect():
            pass
    except ConnectFailed as error:
        return ProbeFinding(what=error.stage, ok=False, detail=str(error))
    except StreamError as error:
        return ProbeFinding(what="stream", ok=False, detail=str(error))
    return ProbeFinding(what="stream", ok=True, detail="the stream opens")
