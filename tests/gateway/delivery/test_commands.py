"""Start, stop, pause, resume, forget, reload, drain, replay, dead letters."""

import pytest
import trio

from gateway.contracts.sink import ACCEPTED, Refused
from gateway.contracts.values import Seconds
from gateway.delivery import (
    Delivery,
    Range,
    SinkCommandRefused,
    SinkNotReady,
    SinkState,
    SinkUnknown,
)
from tests.doubles.sinks import MemoryPeer, memory_sink
from tests.gateway.delivery.conftest import START_NS, House, adds_up, until


async def settled(delivery: Delivery, name: str = "desk") -> None:
    """Wait until a sink has taken everything."""
    await until(lambda: delivery.status()[name].pending == 0)


async def test_a_paused_sink_gets_nothing_until_it_is_resumed(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Pausing keeps the place, closes the sink and shows; resuming goes on from there."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer))
    await house.append(3)
    await settled(delivery)
    delivery.pause("desk")
    await house.append(4)
    await trio.sleep(3600)
    paused = delivery.status()["desk"]
    closed = peer.closed
    delivery.resume("desk")
    await settled(delivery)

    assert (paused.state, paused.pending, closed) == (SinkState.PAUSED, 4, 1)
    assert peer.seqs == [1, 2, 3, 4, 5, 6, 7]


async def test_pausing_cuts_a_wait(house: House, delivery: Delivery, autojump_clock: object):
    """A sink that waits for its next attempt is paused at once, and keeps its batch."""
    peer = MemoryPeer()
    peer.down, peer.retry_after_seconds = True, 1000.0
    await delivery.start(memory_sink(peer))
    await house.append(2)
    await until(lambda: delivery.status()["desk"].state is SinkState.RETRYING)
    delivery.pause("desk")
    await until(lambda: peer.closed == 1, seconds=5)
    peer.down = False
    delivery.resume("desk")
    await until(lambda: peer.seqs == [1, 2], seconds=5)


async def test_a_delivery_in_flight_ends_before_the_stop(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Stopping waits for the answer, so that what the sink took is counted."""
    peer = MemoryPeer()
    peer.delay_seconds = 5
    await delivery.start(memory_sink(peer))
    await house.append(3)
    await trio.sleep(1)
    await delivery.stop("desk")

    assert (delivery.status()["desk"].delivered, peer.seqs) == (3, [1, 2, 3])
    assert delivery.status()["desk"].state is SinkState.STOPPED


async def test_a_restarted_sink_goes_on_where_it_was(house: House, autojump_clock: object):
    """Neither a restart nor removing and adding a sink loses or repeats anything."""
    peer = MemoryPeer()
    for _ in range(3):
        async with house.open() as delivery:
            await delivery.start(memory_sink(peer))
            await house.append(5)
            await settled(delivery)
            await delivery.reconfigure({})
            await house.append(5)

    async with house.open() as delivery:
        await delivery.reconfigure({"desk": memory_sink(peer)})
        await settled(delivery)

    assert peer.seqs == list(range(1, 31))


async def test_latest_begins_with_what_comes_next(
    house: House, delivery: Delivery, autojump_clock: object
):
    """A sink that the journal has not met skips what was before, by `start: latest`."""
    peer = MemoryPeer()
    await house.append(5)
    await delivery.start(memory_sink(peer, start="latest"))
    await house.append(2)
    await settled(delivery)

    assert peer.seqs == [6, 7]
    assert delivery.status()["desk"].recorded == 2


async def test_a_reload_leaves_unchanged_sinks_alone(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Only a changed sink is opened anew; filters apply from there on; removed ones release."""
    same, changed, gone = MemoryPeer(), MemoryPeer(), MemoryPeer()
    kept = memory_sink(same, "same")
    await delivery.reconfigure(
        {
            "same": kept,
            "changed": memory_sink(changed, "changed"),
            "gone": memory_sink(gone, "gone"),
        }
    )
    await house.append(2)
    for name in ("same", "changed", "gone"):
        await settled(delivery, name)
    now = {"same": kept, "changed": memory_sink(changed, "changed", accounts=("other",))}
    await delivery.reconfigure(now)
    await house.append(1)
    await house.append(1, account="other")
    await settled(delivery, "same")
    await settled(delivery, "changed")
    held = {p.name: p.holds_retention for p in await house.journal.sink_positions()}

    assert (same.opened, changed.opened) == (1, 2)
    assert (same.seqs, changed.seqs, gone.seqs) == ([1, 2, 3, 4], [1, 2, 4], [1, 2])
    assert delivery.status()["changed"].filtered == 1
    assert delivery.status()["gone"].state is SinkState.STOPPED
    assert held == {"same": True, "changed": True, "gone": False}


async def test_a_reload_keeps_a_pause(house: House, delivery: Delivery, autojump_clock: object):
    """A sink that somebody paused stays so, though the reload changes it."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer))
    delivery.pause("desk")
    await delivery.reconfigure({"desk": memory_sink(peer, colour="blue")})
    await house.append()
    await trio.sleep(60)

    assert delivery.status()["desk"].state is SinkState.PAUSED
    assert peer.seqs == []


async def test_a_disabled_sink_is_stopped_and_holds_nothing_back(
    house: House, delivery: Delivery, autojump_clock: object
):
    """`enabled: false` ends deliveries and the claim on retention."""
    peer = MemoryPeer()
    await delivery.reconfigure({"desk": memory_sink(peer)})
    await delivery.reconfigure({"desk": memory_sink(peer, enabled=False)})
    await house.append()
    await trio.sleep(60)

    assert delivery.status()["desk"].state is SinkState.STOPPED
    assert [p.holds_retention for p in await house.journal.sink_positions()] == [False]
    assert peer.seqs == []


async def test_forgetting(house: House, delivery: Delivery, autojump_clock: object):
    """Only a sink at rest can be forgotten; it then begins anew."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer))
    await house.append(2)
    await settled(delivery)
    with pytest.raises(SinkNotReady, match="pause it"):
        await delivery.forget("desk")
    with pytest.raises(SinkUnknown, match="no sink typo"):
        await delivery.forget("typo")
    delivery.pause("desk")
    await delivery.forget("desk")
    assert delivery.status()["desk"].state is SinkState.PAUSED
    delivery.resume("desk")
    await settled(delivery)

    assert peer.seqs == [1, 2, 1, 2]


async def test_forgetting_a_removed_sink(house: House, delivery: Delivery, autojump_clock: object):
    """A sink that is configured no more leaves `status` when it is forgotten."""
    await delivery.start(memory_sink(MemoryPeer()))
    await delivery.reconfigure({})
    assert "desk" in delivery.status()
    await delivery.forget("desk")

    assert delivery.status() == {}
    assert await house.journal.sink_positions() == []


async def test_drain_finishes_what_can_be_finished(
    house: House, delivery: Delivery, autojump_clock: object
):
    """At shutdown good sinks take everything; a hung one is left behind within the time."""
    good, hung, waiting = MemoryPeer(), MemoryPeer(), MemoryPeer()
    hung.hanging = True
    options = {"batch": type(memory_sink(good).options.batch)(events=10, wait=Seconds(3600))}
    await delivery.start(memory_sink(good, "good"))
    await delivery.start(memory_sink(hung, "hung"))
    await delivery.start(memory_sink(waiting, "waiting", **options))
    await house.append(25)
    begun = trio.current_time()
    left = await delivery.drain(10)

    assert left == {"hung": 25}
    assert trio.current_time() - begun <= 12
    assert (good.seqs, waiting.seqs) == (list(range(1, 26)), list(range(1, 26)))
    assert {status.state for status in delivery.status().values()} == {SinkState.STOPPED}


async def test_drain_sends_nothing_to_a_paused_sink(
    house: House, delivery: Delivery, autojump_clock: object
):
    """A pause outlives the order to stop."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer))
    delivery.pause("desk")
    await house.append()

    assert await delivery.drain(10) == {"desk": 1}
    assert peer.seqs == []


async def test_replay_sends_a_range_again(house: House, delivery: Delivery, autojump_clock: object):
    """The same ids come again, counted apart, and the cursor stays."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer))
    await house.append(10)
    await settled(delivery)
    rehearsed = await delivery.replay("desk", Range(from_seq=3, to_seq=5), dry_run=True)
    report = await delivery.replay("desk", Range(from_seq=3, to_seq=5))
    status = delivery.status()["desk"]

    assert peer.seqs == [*range(1, 11), 3, 4, 5]
    assert (rehearsed.matched, rehearsed.sent) == (3, 0)
    assert (report.matched, report.sent, report.first_seq, report.last_seq) == (3, 3, 3, 5)
    assert (status.delivered, status.replayed, status.delivered_seq) == (10, 3, 10)


async def test_replay_by_time(house: House, delivery: Delivery, autojump_clock: object):
    """A range by time of receipt holds exactly the events received in it."""
    peer = MemoryPeer()
    await house.append(3)
    await delivery.start(memory_sink(peer))
    await settled(delivery)

    assert (await delivery.replay("desk", Range(from_ns=START_NS))).sent == 3
    assert (await delivery.replay("desk", Range(from_ns=START_NS + 1))).sent == 0
    assert (await delivery.replay("desk", Range(to_ns=START_NS - 1))).sent == 0


async def test_replay_does_not_hold_up_new_events(
    house: House, delivery: Delivery, autojump_clock: object
):
    """While a long range is sent again, new events travel between its batches."""
    peer = MemoryPeer()
    await house.append(5000)
    await delivery.start(memory_sink(peer))
    await settled(delivery)
    del peer.held[:]
    peer.delay_seconds = 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivery.replay, "desk", Range())
        await until(lambda: len(peer.held) >= 500)
        await house.append(1)
    await settled(delivery)

    assert peer.distinct_seqs.index(5001) < 5000
    assert sorted(peer.seqs) == list(range(1, 5002))


async def test_replay_survives_a_fault(house: House, delivery: Delivery, autojump_clock: object):
    """A sink that fails in the middle of a replay is tried again until all was sent."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer))
    await house.append(10)
    await settled(delivery)
    peer.down = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(delivery.replay, "desk", Range())
        await trio.sleep(600)
        peer.down = False

    assert peer.seqs == [*range(1, 11)] * 2


async def test_commands_for_sinks_that_cannot(
    house: House, delivery: Delivery, autojump_clock: object
):
    """An unknown or paused sink gives an error that says what to do."""
    await delivery.start(memory_sink(MemoryPeer()))
    with pytest.raises(SinkUnknown, match=r"no sink typo is running \(running: desk\)"):
        delivery.pause("typo")
    delivery.pause("desk")
    with pytest.raises(SinkNotReady, match="resume it first"):
        await delivery.replay("desk", Range())


async def test_a_replay_ends_with_its_sink(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Whoever waits for a replay learns that the sink was stopped."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer))
    await house.append()
    await settled(delivery)
    peer.down = True
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def replay() -> None:
            with pytest.raises(SinkCommandRefused, match="stopped before"):
                await delivery.replay("desk", Range())

        await trio.sleep(100)
        await delivery.stop("desk")


async def poisoned(house: House, delivery: Delivery, peer: MemoryPeer) -> None:
    """Ten events of which the even ones were refused."""
    peer.verdict = lambda item: (
        Refused(reason="constraint") if item.record.seq % 2 == 0 else ACCEPTED
    )
    await delivery.start(memory_sink(peer))
    await house.append(10)
    await settled(delivery)


async def test_dead_letters_are_replayed_after_the_mend(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Replayed dead letters count as delivered; those refused again stay."""
    peer = MemoryPeer()
    await poisoned(house, delivery, peer)
    peer.verdict = lambda item: Refused(reason="constraint") if item.record.seq == 4 else ACCEPTED
    house.journal.retire(11)
    report = await delivery.dlq_replay("desk")
    status = delivery.status()["desk"]

    assert (report.matched, report.sent, report.refused) == (5, 4, 1)
    assert peer.seqs == [1, 3, 5, 7, 9, 2, 6, 8, 10]
    assert (status.delivered, status.dead_letters) == (9, 1)
    assert [x.record.seq for x in await house.journal.dead_letters("desk")] == [4]
    assert adds_up(status)


async def test_single_dead_letters(house: House, delivery: Delivery, autojump_clock: object):
    """Dead letters are replayed and dropped by number; dropped ones count as dropped."""
    peer = MemoryPeer()
    await poisoned(house, delivery, peer)
    peer.verdict = lambda _: ACCEPTED
    numbers = [letter.number for letter in await house.journal.dead_letters("desk")]
    report = await delivery.dlq_replay("desk", numbers[:2])
    dropped = await delivery.dlq_drop(numbers[2:])
    status = delivery.status()["desk"]

    assert (report.sent, dropped) == (2, 3)
    assert (status.delivered, status.dropped, status.dead_letters) == (7, 3, 0)
    assert house.metrics.cell("gateway_sink_dropped_events", "desk", "discarded").value == 3
    assert adds_up(status)


async def test_errands_only(house: House, delivery: Delivery, autojump_clock: object):
    """For commands on a stopped gateway a sink sends again without taking new events."""
    peer = MemoryPeer()
    await house.append(5)
    await delivery.start(memory_sink(peer), errands_only=True)
    await trio.sleep(60)
    before = list(peer.seqs)
    report = await delivery.replay("desk", Range(to_seq=2))

    assert (before, report.sent, peer.seqs) == ([], 2, [1, 2])
    assert delivery.status()["desk"].pending == 5


async def test_metrics_say_what_status_says(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Counts, gauges and the histogram of a sink agree with its status."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer, accounts=("lbank-main",)))
    await house.append(3)
    await house.append(2, account="other")
    await settled(delivery)
    peer.down = True
    await house.append(4)
    await until(lambda: delivery.status()["desk"].state is SinkState.RETRYING)
    delivery.show_pending()
    values = {
        name: house.metrics.cell(f"gateway_sink_{name}", "desk").value
        for name in ("up", "delivered_events", "filtered_events", "pending_events")
    }

    assert values == {
        "up": 0,
        "delivered_events": 3,
        "filtered_events": 2,
        "pending_events": 4,
    }
    oldest = house.metrics.cell("gateway_sink_oldest_pending_timestamp_seconds", "desk").value
    assert oldest == pytest.approx(START_NS / 1e9)
    assert sum(house.metrics.histogram("gateway_sink_delivery_duration_seconds", "desk").counts)


async def test_a_sink_that_left_the_configuration_holds_back_nothing(
    house: House, autojump_clock: object
):
    """Removed while the gateway was stopped, it is released at the next start."""
    async with house.open() as earlier:
        await earlier.reconfigure({"desk": memory_sink(MemoryPeer(), "desk")})
    async with house.open() as now:
        await now.reconfigure({})

    assert [each.holds_retention for each in await house.journal.sink_positions()] == [False]
