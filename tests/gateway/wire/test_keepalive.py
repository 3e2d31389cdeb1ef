"""Real units on a virtual clock: seconds are seconds."""

from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock

from gateway.errors import HeartbeatMissed
from gateway.wire.keepalive import Liveness, every

DAY = 24 * 3600


async def test_ticks_come_each_period_and_do_not_drift(autojump_clock: MockClock):
    """The first tick is after one period; a body that takes time shifts none."""
    start, ticks = trio.current_time(), []
    async for _ in every(30):
        ticks.append(trio.current_time() - start)
        if len(ticks) == 4:
            break
        await trio.sleep(7)
    assert ticks == pytest.approx([30, 60, 90, 120])


async def test_missed_ticks_are_left_out(autojump_clock: MockClock):
    """After a slow body the next tick is the next whole period, not a burst."""
    start, ticks = trio.current_time(), []
    async for _ in every(10):
        ticks.append(trio.current_time() - start)
        if len(ticks) == 3:
            break
        await trio.sleep(25)
    assert ticks == pytest.approx([10, 40, 70])


async def test_no_tick_comes_twice(autojump_clock: MockClock):
    """With a period that floats cannot hold exactly, ticks still stay a period apart."""
    ticks = []
    async for _ in every(0.1):
        ticks.append(trio.current_time())
        if len(ticks) == 1_000:
            break
    assert min(later - one for one, later in pairwise(ticks)) > 0.09


async def test_slots_bring_ticks_together(autojump_clock: MockClock):
    """Periods that began at different moments of one slot tick at the same moment."""
    ticks = []
    for _ in range(3):
        ticker = every(10, slot_seconds=0.5)
        async for _ in ticker:
            ticks.append(trio.current_time())
            break
        await trio.sleep(0.1)
    assert [round(tick % 10, 6) for tick in ticks] == [0, 0, 0]
    assert min(later - one for one, later in pairwise(ticks)) > 9


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_period_must_be_positive(seconds: float):
    """A period of nothing would spin."""
    with pytest.raises(ValueError, match="seconds"):
        every(seconds)


async def test_silence_ends_it(autojump_clock: MockClock):
    """With no sign of life `HeartbeatMissed` comes after exactly the silence allowed."""
    start, beats = trio.current_time(), []

    async def beat():
        beats.append(trio.current_time() - start)

    with pytest.raises(HeartbeatMissed, match="25 s"):
        await Liveness(beat_seconds=10, silence_seconds=25).run(beat)
    assert beats == pytest.approx([10, 20])
    assert trio.current_time() - start == pytest.approx(25)


async def test_a_quiet_day_with_answers_raises_nothing(autojump_clock: MockClock):
    """As long as each heartbeat is answered, it goes on."""
    liveness, beats = Liveness(beat_seconds=30, silence_seconds=70), 0

    async def beat():
        nonlocal beats
        beats += 1
        liveness.seen()

    with trio.move_on_after(DAY) as scope:
        await liveness.run(beat)
    assert scope.cancelled_caught
    assert beats in {DAY // 30 - 1, DAY // 30}


async def test_the_silence_counts_from_the_last_sign(autojump_clock: MockClock):
    """A sign of life gives the full span again."""
    liveness, start = Liveness(beat_seconds=10, silence_seconds=25), trio.current_time()

    async def beat():
        if trio.current_time() - start < 55:
            liveness.seen()

    with pytest.raises(HeartbeatMissed):
        await liveness.run(beat)
    assert trio.current_time() - start == pytest.approx(75)


async def test_a_heartbeat_that_cannot_be_sent_does_not_hide_the_silence(autojump_clock: MockClock):
    """A send that hangs in a full socket is cut off by the same limit."""
    start = trio.current_time()
    with pytest.raises(HeartbeatMissed):
        await Liveness(beat_seconds=10, silence_seconds=25).run(trio.sleep_forever)
    assert trio.current_time() - start == pytest.approx(25)


def test_the_silence_must_be_longer_than_a_beat():
    """Otherwise every connection would be given up before its first heartbeat."""
    with pytest.raises(ValueError, match="longer"):
        Liveness(beat_seconds=30, silence_seconds=30)
