"""LBank counts requests by key, whatever becomes of the account that made them."""

import msgspec
import trio
from trio.testing import MockClock

from adapters.lbank import endpoints
from adapters.lbank.adapter import SpotAdapter, Surroundings
from gateway.wire.limits import RequestLimits
from tests.adapters.lbank.pretend import PretendLBank, context_of, settings_of

ALLOWED, WINDOW_SECONDS = 200, 10.0
"""[docs] Requests of one key."""


async def ask_often(venue: PretendLBank, gate: RequestLimits, times: list[float]) -> None:
    """An account that asks signed and unsigned, a hundred times as fast as it may, and closes."""
    context = msgspec.structs.replace(context_of(venue), request_gate=gate)
    outside = Surroundings(open_websocket=venue.open_websocket, rest=venue)
    adapter = SpotAdapter(settings_of(), context, outside)
    for _ in range(100):
        await adapter.probe()
        times.append(trio.current_time())
    await adapter.aclose()


async def test_the_limit_outlives_the_account_and_is_shared(autojump_clock: MockClock):
    """Restarts, and accounts of one key side by side, stay within what the key is allowed."""
    venue, gate, times = PretendLBank(), RequestLimits(), list[float]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_often, venue, gate, times)
        nursery.start_soon(ask_often, venue, gate, times)
    for _ in range(3):
        await ask_often(venue, gate, times)

    assert len(times) == 500
    in_windows = [sum(at <= one < at + WINDOW_SECONDS for one in times) for at in times]
    assert max(in_windows) <= ALLOWED
    # And no slower than it has to be.
    assert times[-1] - times[0] < len(times) / endpoints.REQUESTS_PER_SECOND
