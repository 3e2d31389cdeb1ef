"""A stream key over a day of virtual time, with everything that may go wrong."""

import random

import pytest
import trio
from trio.testing import MockClock

from adapters.lbank.adapter import SpotAdapter
from adapters.lbank.settings import StreamKey
from gateway.contracts.values import Seconds
from gateway.errors import KeyExpired, StreamError
from gateway.events.model import StreamReason
from gateway.wire.onefailure import open_single_failure_nursery
from tests.adapters.lbank.pretend import (
    MemoryOutlet,
    PretendLBank,
    adapter_on,
    live_then,
    settings_of,
)

HOUR = 3600.0


class Watch:
    """A small supervisor: renews on `KeyExpired`, makes before it breaks."""

    def __init__(self, adapter: SpotAdapter, outlet: MemoryOutlet) -> None:
        self.adapter = adapter
        self.outlet = outlet
        self.endings: list[StreamError] = []
        self.live = 0

    async def run(self) -> None:
        while True:
            async with trio.open_nursery() as nursery:
                successor = trio.Event()
                self.outlet.on_retire = successor.set
                nursery.start_soon(self._line)
                await successor.wait()
                with trio.move_on_after(60):
                    # Live before the old one closes; then `run` opens a line of its own.
                    await nursery.start(self.adapter.run_stream, MemoryOutlet())
                nursery.cancel_scope.cancel()

    async def _line(self) -> None:
        while True:
            try:
                async with open_single_failure_nursery() as nursery:
                    with trio.fail_after(60):
                        await nursery.start(self.adapter.run_stream, self.outlet)
                    self.live += 1
            except KeyExpired as error:
                self.endings.append(error)
                await self.adapter.renew()


async def watch_for(venue: PretendLBank, hours: float) -> Watch:
    """Keep an account for so long, checking each minute that its key lives."""
    watch = Watch(adapter_on(venue), MemoryOutlet())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        await trio.sleep(60)
        while trio.current_time() < hours * HOUR:
            await trio.sleep(60)
            assert venue.sockets, "no socket is open"
            assert any(
                venue.keys.get(key, 0) > trio.current_time()
                for socket in venue.sockets
                for key in socket.keys
            ), f"no live key after {trio.current_time()} s"
        nursery.cancel_scope.cancel()
    return watch


async def test_quiet_account_lives_for_a_day(venue: PretendLBank, autojump_clock: MockClock):
    """With no push for 24 h the key is refreshed every half hour and nothing reconnects."""
    watch = await watch_for(venue, 24)

    assert 1 == watch.live
    assert 1 == len(venue.keys)
    assert [False] * 47 == watch.outlet.renewals[:47]
    refreshes = [form for path, form in venue.asked if path.endswith("refresh_key.do")]
    assert 47 <= len(refreshes) <= 48


async def test_troubled_account_lives_for_a_day(venue: PretendLBank, autojump_clock: MockClock):
    """Refused, failing, hanging and unreadable refreshes never leave the account without a key."""
    rng = random.Random(7)
    venue.refresh_script = rng.choices(
        ["good", "refused", "failing", "hanging", "html"], [6, 1, 3, 2, 2], k=400
    )

    watch = await watch_for(venue, 24)

    assert watch.endings, "no refresh was refused"
    assert all("could not be refreshed" in str(ending) for ending in watch.endings)
    assert len(venue.keys) >= 1


async def test_key_that_cannot_be_refreshed_gets_a_successor_in_time(
    venue: PretendLBank, autojump_clock: MockClock
):
    """When every refresh fails, a successor is asked for before the key lapses."""
    venue.refresh_script = ["failing"] * 1000
    outlet = MemoryOutlet()
    adapter = adapter_on(venue)

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, outlet)
        await trio.sleep(56 * 60)
        assert StreamReason.KEY_EXPIRED in outlet.retired
        successor = MemoryOutlet()
        await nursery.start(adapter.run_stream, successor)
        nursery.cancel_scope.cancel()

    assert [True] == successor.renewals
    assert 2 == len(venue.keys)


async def test_stream_ends_when_its_key_lapses(venue: PretendLBank, autojump_clock: MockClock):
    """Without a successor the stream does not outlive its key."""
    venue.refresh_script = ["hanging"] * 1000
    adapter = adapter_on(venue)

    with pytest.raises(KeyExpired, match="not refreshed for 3600 s"):
        await adapter.run_stream(MemoryOutlet())

    assert trio.current_time() == pytest.approx(HOUR, abs=30)


async def test_refused_refresh_ends_the_stream_at_once(
    venue: PretendLBank, autojump_clock: MockClock
):
    """A refused refresh means that the key may be dead for long: the stream ends."""
    venue.refresh_script = ["refused"]
    adapter = adapter_on(venue)

    with pytest.raises(KeyExpired, match="could not be refreshed"):
        await adapter.run_stream(MemoryOutlet())

    assert trio.current_time() == pytest.approx(HOUR / 2, abs=30)


async def test_two_connections_share_one_key(venue: PretendLBank, autojump_clock: MockClock):
    """Both connections subscribe with the same key, and only one of them refreshes it."""
    adapter = adapter_on(venue)
    outlets = [MemoryOutlet(), MemoryOutlet()]

    async with trio.open_nursery() as nursery:
        for outlet in outlets:
            nursery.start_soon(adapter.run_stream, outlet)
        await trio.sleep(100 * 60)
        nursery.cancel_scope.cancel()

    asked = [path.rpartition("/")[2] for path, _ in venue.asked]
    assert 1 == asked.count("get_key.do")
    assert 3 == asked.count("refresh_key.do")
    assert 3 == sum(len(outlet.renewals) for outlet in outlets)


async def test_key_is_proven_before_it_is_used_again(
    venue: PretendLBank, autojump_clock: MockClock
) -> None:
    """A connection that comes back refreshes the key; one that died is replaced."""
    adapter = adapter_on(venue)
    outlets = [MemoryOutlet() for _ in range(4)]

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, outlets[0])
        await nursery.start(adapter.run_stream, outlets[1])
        await trio.sleep(60)
        await nursery.start(adapter.run_stream, outlets[2])
        await trio.sleep(60)
        venue.keys.clear()
        await nursery.start(adapter.run_stream, outlets[3])
        nursery.cancel_scope.cancel()

    assert [outlet.renewals for outlet in outlets] == [[], [], [False], [True]]
    assert venue.sockets == []


async def test_key_is_used_on_while_nothing_can_be_asked(
    venue: PretendLBank, autojump_clock: MockClock
) -> None:
    """When the proof fails for another reason than the key, the key is tried."""
    adapter = adapter_on(venue)

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, MemoryOutlet())
        await trio.sleep(60)
        venue.refresh_script = ["html"]
        await nursery.start(adapter.run_stream, MemoryOutlet())
        nursery.cancel_scope.cancel()

    assert len(venue.keys) == 1


async def test_settings_decide_life_and_refresh(venue: PretendLBank, autojump_clock: MockClock):
    """A shorter life is refreshed at the configured age."""
    key = StreamKey(life=Seconds(60), refresh=Seconds(20))
    adapter = adapter_on(venue, settings_of(key=key))

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, MemoryOutlet())
        await trio.sleep(50)
        nursery.cancel_scope.cancel()

    assert 2 == sum(path.endswith("refresh_key.do") for path, _ in venue.asked)


async def test_sleeping_machine_ages_the_key(venue: PretendLBank, autojump_clock: MockClock):
    """Time that only the machine's clock saw counts for the key's age."""
    slept = 0.0
    adapter = adapter_on(venue, elapsed=lambda: slept)

    def sleep_two_hours() -> None:
        nonlocal slept
        slept = 2 * HOUR

    with pytest.raises(KeyExpired, match="not refreshed"):
        await live_then(adapter, sleep_two_hours)

    assert trio.current_time() < 60


async def test_destroy_is_off_by_default_and_closes_the_key_when_asked(
    venue: PretendLBank, autojump_clock: MockClock
):
    """Only with `key.destroy` is the key closed at shutdown."""
    for destroy in (False, True):
        adapter = adapter_on(venue, settings_of(key=StreamKey(destroy=destroy)))
        async with trio.open_nursery() as nursery:
            await nursery.start(adapter.run_stream, MemoryOutlet())
            nursery.cancel_scope.cancel()
        await adapter.aclose()

    assert 1 == sum(path.endswith("destroy_key.do") for path, _ in venue.asked)
    assert 1 == len(venue.keys)
