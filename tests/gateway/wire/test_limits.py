"""Turns are spaced, in the order of asking, and nobody's cancellation costs another."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from gateway.wire.limits import HostGate, RateLimiter, RequestLimits


def turns_taken(per_second: float, burst: int, pauses: list[float]) -> list[float]:
    """When turns come, on a virtual clock, for a caller that pauses before each."""

    async def run() -> list[float]:
        limiter = RateLimiter(per_second, burst)
        times = []
        for pause in pauses:
            await trio.sleep(pause)
            await limiter.wait_turn()
            times.append(trio.current_time())
        return times

    return trio.run(run, clock=MockClock(autojump_threshold=0))


@given(
    per_second=st.floats(0.1, 100),
    burst=st.integers(1, 5),
    pauses=st.lists(st.floats(0, 3), min_size=1, max_size=30),
)
def test_no_window_holds_more_than_its_share(per_second: float, burst: int, pauses: list[float]):
    """In any span of t seconds at most burst + rate·t turns are given."""
    times = turns_taken(per_second, burst, pauses)
    for start in range(len(times)):
        for end in range(start, len(times)):
            allowed = burst + per_second * (times[end] - times[start])
            assert end - start + 1 <= allowed + 1e-6


def test_a_burst_is_free_and_then_the_rate_holds():
    """The first `burst` turns come at once, the rest evenly."""
    times = turns_taken(10, 3, [0.0] * 6)
    assert [pytest.approx(time - times[0]) for time in times] == [0, 0, 0, 0.1, 0.2, 0.3]


async def test_turns_come_in_order_and_cancellation_uses_none(autojump_clock: MockClock):
    """A waiter that gives up leaves its turn to the next."""
    limiter = RateLimiter(1)
    start, taken = trio.current_time(), []

    async def take(name: str, patience: float):
        with trio.move_on_after(patience):
            await limiter.wait_turn()
            taken.append((name, round(trio.current_time() - start)))

    async with trio.open_nursery() as nursery:
        for name, patience in [("a", 99), ("gives up", 0.5), ("b", 99), ("c", 99)]:
            nursery.start_soon(take, name, patience)
            await trio.testing.wait_all_tasks_blocked()
    assert taken == [("a", 0), ("b", 1), ("c", 2)]


async def test_the_gate_spreads_per_host(autojump_clock: MockClock):
    """A hundred connections to one host take ten seconds; another host waits for none."""
    gate, start, turns = HostGate(), trio.current_time(), []

    async def connect(host: str):
        await gate.wait_turn(host, 10)
        turns.append((host, trio.current_time() - start))

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(connect, "one")
        nursery.start_soon(connect, "other")
    assert ("other", 0) in turns
    assert max(seconds for _, seconds in turns) == pytest.approx(9.9)


@pytest.mark.parametrize("rate", [0, -1])
async def test_a_rate_must_be_positive(rate: float):
    """A rate of nothing would wait for ever."""
    with pytest.raises(ValueError, match="per_second"):
        RateLimiter(rate)
    with pytest.raises(ValueError, match="per_second"):
        await HostGate().wait_turn("host", rate)


async def test_one_key_has_one_limit_a_host(autojump_clock: MockClock):
    """Whoever asks with a key takes from the same burst; other keys and hosts have their own."""
    gate, start = RequestLimits(), trio.current_time()

    async def seconds_until_a_turn(host: str, key: str) -> float:
        await gate.wait_turn(host, key, per_second=10, burst=2)
        return round(trio.current_time() - start, 3)

    assert [0, 0, 0.1] == [await seconds_until_a_turn("host", "key") for _ in range(3)]
    assert await seconds_until_a_turn("host", "other key") == 0.1
    assert await seconds_until_a_turn("other host", "key") == 0.1
    assert await seconds_until_a_turn("host", "key") == 0.2


async def test_a_limit_is_kept_for_as_long_as_it_matters(autojump_clock: MockClock):
    """New keys make the gate forget those that have rested, and no others."""
    gate = RequestLimits()
    await gate.wait_turn("host", "rested", per_second=1, burst=1)
    await trio.sleep(1)
    await gate.wait_turn("host", "busy", per_second=1, burst=1)
    start = trio.current_time()
    await gate.wait_turn("host", "new", per_second=1, burst=1)
    await gate.wait_turn("host", "rested", per_second=1, burst=1)
    assert trio.current_time() == start
    await gate.wait_turn("host", "busy", per_second=1, burst=1)
    assert pytest.approx(start + 1) == trio.current_time()
