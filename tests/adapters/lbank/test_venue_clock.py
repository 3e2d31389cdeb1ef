"""What LBank's clock is taken to show, whatever its answers say."""

from typing import Any

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from adapters.lbank.venue_clock import VenueClock
from gateway.wire.commons import HostCommons
from tests.adapters.lbank.pretend import PretendLBank, TrioWallClock, adapter_on, live_then

HOUR_NS = 3600 * 10**9
HOSTILE = [0, -1, 1, 10**10, 10**12, 10**16, 10**400, "soon", "", None, 1.5, True, [1]]
BALANCES = "/v2/supplement/user_info_account.do"


def clock_told(ours: TrioWallClock) -> VenueClock:
    """A clock that LBank told the right time; ours may be wrong."""
    clock = VenueClock(ours, trio.current_time)
    right_ms = (ours.now_ns() - ours.wrong_by_ns) // 10**6
    clock.learn(right_ms, ours.now_ns(), ours.now_ns())
    return clock


@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS, 87_600 * HOUR_NS])
async def test_a_jump_of_our_clock_changes_nothing(autojump_clock: MockClock, jump_ns: int):
    """LBank's time goes on by clocks that nobody sets."""
    ours = TrioWallClock()
    clock = clock_told(ours)
    before_ms = clock.venue_ms()
    ours.wrong_by_ns = jump_ns
    await trio.sleep(100)

    assert before_ms + 100_000 == pytest.approx(clock.venue_ms(), abs=2)
    assert -jump_ns / 1e9 == pytest.approx(clock.offset_seconds, abs=0.01)


async def test_time_asleep_is_counted(autojump_clock: MockClock):
    """A machine that slept an hour signs with the time of after."""
    ours, slept = TrioWallClock(), 0.0
    clock = VenueClock(ours, lambda: trio.current_time() + slept)
    clock.learn(1_700_000_000_000, ours.now_ns(), ours.now_ns())
    slept = 3600.0

    assert 1_700_003_600_000 == pytest.approx(clock.venue_ms(), abs=2)


async def test_answers_keep_the_time_exact(autojump_clock: MockClock):
    """Within what a signature tolerates, each answer replaces what was known."""
    ours = TrioWallClock()
    clock = clock_told(ours)
    told_ms = clock.venue_ms() + 4_000
    clock.hear(told_ms, ours.now_ns() - 10**9, ours.now_ns())

    assert told_ms + 500 == pytest.approx(clock.venue_ms(), abs=2)


@pytest.mark.parametrize("off_ms", [10_000, -10_000, HOUR_NS // 10**6, 10**12, -(10**12)])
async def test_a_time_that_does_not_fit_is_not_believed(autojump_clock: MockClock, off_ms: int):
    """An answer to a good signature cannot come from another time; that is said once."""
    ours = TrioWallClock()
    clock = clock_told(ours)
    right_ms = clock.venue_ms()
    with capture_logs() as lines:
        for _ in range(5):
            clock.hear(right_ms + off_ms, ours.now_ns(), ours.now_ns())

    assert right_ms == clock.venue_ms()
    assert 1 == len(lines)


@pytest.mark.parametrize(
    "ts", [0, -1, 1, 10**10, 10**16, "soon", "", None, 1.5, True, [1], 10**400]
)
async def test_a_hostile_stamp_shifts_neither_signatures_nor_gaps(
    autojump_clock: MockClock, ts: Any
):
    """Whatever `ts` an answer carries, LBank's time stays what LBank said it was."""
    venue = PretendLBank()
    venue.clock.wrong_by_ns = HOUR_NS
    venue.answers[BALANCES] = lambda _: {"result": "true", "data": {"balances": []}, "ts": ts}
    adapter = adapter_on(venue)
    for _ in range(3):
        await adapter.probe()

        assert -3600 == pytest.approx(adapter.clock_offset_seconds(), abs=1)


@pytest.mark.parametrize("told", [None, 0, -5, 10**20, "noon", {}, True])
async def test_without_the_time_our_own_has_to_do(autojump_clock: MockClock, told: Any):
    """A venue that does not tell its time, or nonsense, is connected to all the same."""
    venue = PretendLBank()
    venue.answers["/v2/timestamp.do"] = lambda _: {"result": "true", "data": told}
    reached = trio.Event()
    with pytest.raises(Exception, match="cut"):
        await live_then(adapter_on(venue), lambda: (reached.set(), venue.sockets[0].cut()))

    assert reached.is_set()
    asked = [path for path, _ in venue.asked]
    assert 1 == asked.count("/v2/timestamp.do")


async def test_accounts_at_one_host_ask_for_its_time_once(autojump_clock: MockClock):
    """Of many that want a key at once one asks, and all sign by what it was told."""
    venue, commons = PretendLBank(), HostCommons()
    venue.clock.wrong_by_ns = HOUR_NS
    adapters = [adapter_on(venue, commons=commons) for _ in range(20)]
    async with trio.open_nursery() as nursery:
        for adapter in adapters:
            nursery.start_soon(adapter.renew)

    assert 1 == [path for path, _ in venue.asked].count("/v2/timestamp.do")
    offsets = {adapter.clock_offset_seconds() for adapter in adapters}
    assert -3600 == pytest.approx(offsets.pop(), abs=1)
    assert not offsets


async def test_a_path_that_is_not_served_stops_nobody(autojump_clock: MockClock):
    """Where the call for the time answers a web page, the stream lives by our clock."""
    venue = PretendLBank()
    venue.missing.add("/v2/timestamp.do")
    with pytest.raises(Exception, match="cut"):
        await live_then(adapter_on(venue), lambda: venue.sockets[-1].cut("cut"))


async def test_a_time_as_text_is_a_time(autojump_clock: MockClock):
    """Numbers come as text elsewhere, so here too."""
    venue = PretendLBank()
    venue.clock.wrong_by_ns = HOUR_NS
    venue.answers["/v2/timestamp.do"] = lambda _: {"result": True, "data": str(venue.venue_ms())}
    adapter = adapter_on(venue)
    await adapter.renew()

    assert -3600 == pytest.approx(adapter.clock_offset_seconds(), abs=1)
