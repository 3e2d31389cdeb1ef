"""Sinks that fail in every way they know, hours of it, in virtual time."""

from typing import Any

import trio

from gateway.contracts.sink import ACCEPTED, UNTRIED, Item, Later, Refused, Retrying, Verdict
from gateway.contracts.values import Seconds
from gateway.delivery import Delivery, Range, SinkState, happenings
from gateway.journal import SinkPosition
from tests.doubles.journal import MemoryJournal
from tests.doubles.sinks import MemoryPeer, memory_sink
from tests.gateway.delivery.conftest import House, adds_up, until

HOUR = 3600.0


async def test_events_arrive_in_order(house: House, delivery: Delivery, autojump_clock: object):
    """What is journalled reaches the sink, once and in order of seq."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer))
    await house.append(3)
    await until(lambda: len(peer.held) == 3)
    await house.append(2)
    await until(lambda: delivery.status()["desk"].pending == 0)

    assert peer.seqs == [1, 2, 3, 4, 5]
    status = delivery.status()["desk"]
    assert (
        status.state,
        status.delivered,
        status.delivered_seq,
        status.pending,
    ) == (SinkState.RUNNING, 5, 5, 0)


async def test_a_sink_that_was_down_for_hours_is_drained_in_order(
    house: House, delivery: Delivery, autojump_clock: object
):
    """After six hours without an answer everything arrives, in order, in full batches."""
    peer = MemoryPeer()
    peer.down = True
    await delivery.start(memory_sink(peer))
    for _ in range(36):
        await house.append(100)
        await trio.sleep(600)
    tried = len(peer.attempts)
    down = delivery.status()["desk"]
    peer.down = False
    await until(lambda: len(peer.held) == 3600)

    assert (down.state, down.pending, down.last_error) == (SinkState.RETRYING, 3600, "no answer")
    assert peer.seqs == list(range(1, 3601))
    assert len(peer.attempts) - tried <= 10
    assert delivery.status()["desk"].state is SinkState.RUNNING


async def test_backoff_is_capped_and_jittered(
    house: House, delivery: Delivery, autojump_clock: object
):
    """The first retry is at once, no wait is longer than `retry.max`, no two are alike."""
    peer = MemoryPeer()
    peer.down = True
    await delivery.start(memory_sink(peer))
    await house.append()
    await trio.sleep(HOUR)
    waits = [b - a for a, b in zip(peer.attempts, peer.attempts[1:], strict=False)]

    assert waits[0] == 0
    assert max(waits) <= 30
    assert max(waits) > 15
    assert len(set(waits[5:])) > len(waits[5:]) * 0.9
    assert 120 <= len(waits) <= 1200


async def test_retry_after_is_obeyed(house: House, delivery: Delivery, autojump_clock: object):
    """A peer that asks for ten minutes is not asked again before they are over."""
    peer = MemoryPeer()
    peer.down, peer.retry_after_seconds = True, 600.0
    await delivery.start(memory_sink(peer))
    await house.append()
    await trio.sleep(2 * HOUR)
    waits = [b - a for a, b in zip(peer.attempts, peer.attempts[1:], strict=False)]

    assert len(waits) >= 10
    assert min(waits) >= 600


async def test_an_absurd_retry_after_is_bounded(
    house: House, delivery: Delivery, autojump_clock: object
):
    """A peer that asks for a year is asked again within the hour."""
    peer = MemoryPeer()
    peer.down, peer.retry_after_seconds = True, 365 * 24 * HOUR
    await delivery.start(memory_sink(peer))
    await house.append()
    await trio.sleep(1.5 * HOUR)

    assert len(peer.attempts) == 2


async def test_a_hung_sink_is_cut_and_delays_nobody(
    house: House, delivery: Delivery, autojump_clock: object
):
    """A delivery without an answer is cut at `timeout`, while the sink beside it is served."""
    hung, good = MemoryPeer(), MemoryPeer()
    hung.hanging = True
    await delivery.start(memory_sink(hung, "hung", timeout=Seconds(15)))
    await delivery.start(memory_sink(good, "good"))
    begun = trio.current_time()
    await house.append(10)
    await until(lambda: len(good.held) == 10)
    served = trio.current_time()
    await until(lambda: len(hung.attempts) >= 2)

    assert served - begun < 1
    assert 15 <= hung.attempts[1] - hung.attempts[0] <= 16
    assert delivery.status()["hung"].last_error == "no answer within 15 s"
    hung.hanging = False
    await until(lambda: hung.distinct_seqs == list(range(1, 11)))


async def test_poison_goes_to_the_dead_letters(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Of 1,000 events with 10 that are refused for good, exactly those are dead letters."""
    poison = set(range(50, 1001, 100))
    peer = MemoryPeer()
    peer.verdict = lambda item: (
        Refused(reason="400", excerpt="no such desk") if item.record.seq in poison else ACCEPTED
    )
    await delivery.start(memory_sink(peer))
    await house.append(1000)
    await until(lambda: delivery.status()["desk"].pending == 0)
    letters = await house.journal.dead_letters("desk")
    status = delivery.status()["desk"]

    assert poison == {letter.record.seq for letter in letters}
    assert {("400", "no such desk", 1)} == {(x.reason, x.excerpt, x.attempts) for x in letters}
    assert [n for n in range(1, 1001) if n not in poison] == peer.seqs
    assert (status.delivered, status.dead_letters, status.state) == (990, 10, SinkState.RUNNING)


async def test_a_lost_answer_repeats_the_same_ids(
    house: House, delivery: Delivery, autojump_clock: object
):
    """When the sink kept a batch but its answer was lost, the same ids come again."""
    peer = MemoryPeer()
    peer.lost_answers = 3
    await delivery.start(memory_sink(peer))
    await house.append(20)
    await until(lambda: delivery.status()["desk"].pending == 0)

    ids = [item.record.id for item in peer.held]
    assert ids == ids[:20] * 4
    assert delivery.status()["desk"].delivered == 20


async def test_part_of_a_batch_is_settled(house: House, delivery: Delivery, autojump_clock: object):
    """What was accepted out of order is neither sent nor counted again; the rest is."""
    peer = MemoryPeer()
    waiting = {3, 7}

    def verdict(item: Item) -> Verdict:
        return Later(reason="locked") if item.record.seq in waiting else ACCEPTED

    peer.verdict = verdict
    await house.append(10)
    await delivery.start(memory_sink(peer))
    await until(lambda: len(peer.attempts) > 3)
    partly = delivery.status()["desk"]
    waiting.clear()
    await until(lambda: delivery.status()["desk"].pending == 0)

    assert (partly.delivered_seq, partly.delivered, partly.pending) == (2, 2, 8)
    assert peer.seqs == [1, 2, 4, 5, 6, 8, 9, 10, 3, 7]
    assert delivery.status()["desk"].delivered == 10


async def test_a_slow_sink_takes_a_batch_in_parts(
    house: House, delivery: Delivery, autojump_clock: object
):
    """What a sink did not come to in its time is handed over again: no trouble, no repeat."""
    peer = MemoryPeer()
    taken: dict[int, int] = {}

    def ten_an_attempt(_: Item) -> Verdict:
        attempt = len(peer.attempts)
        taken[attempt] = taken.get(attempt, 0) + 1
        return ACCEPTED if taken[attempt] <= 10 else UNTRIED

    peer.verdict = ten_an_attempt
    failures = happenings.FAILING.count
    await house.append(95)
    await delivery.start(memory_sink(peer))
    began = trio.current_time()
    await until(lambda: len(peer.held) == 95)
    replayed = await delivery.replay("desk", Range(from_seq=1, to_seq=25))

    assert peer.seqs == [*range(1, 96), *range(1, 26)]
    assert (13, 25) == (len(peer.attempts), replayed.sent)
    assert trio.current_time() - began < 1
    assert failures == happenings.FAILING.count
    assert delivery.status()["desk"].state is SinkState.RUNNING


async def test_a_crashing_sink_is_told_once_and_tried_on(
    house: House, delivery: Delivery, autojump_clock: object
):
    """A sink's own defect gives one log line, not one per attempt, and heals."""
    peer = MemoryPeer()
    peer.crash = ZeroDivisionError("division by zero")
    told, recovered = happenings.CRASHED.count, happenings.RECOVERED.count
    await delivery.start(memory_sink(peer))
    await house.append()
    await trio.sleep(HOUR)
    broken = delivery.status()["desk"]
    peer.crash = None
    await until(lambda: len(peer.held) == 1)
    await until(lambda: delivery.status()["desk"].state is SinkState.RUNNING)

    assert len(peer.attempts) > 100
    assert (
        broken.state,
        broken.last_error,
    ) == (SinkState.RETRYING, "ZeroDivisionError: division by zero")
    assert (told + 1, recovered + 1) == (happenings.CRASHED.count, happenings.RECOVERED.count)


async def test_a_sink_that_cannot_be_opened_is_tried_again(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Whatever opening raises, the sink is opened again later and misses nothing."""
    peer = MemoryPeer()
    peer.refuses_to_open = OSError("no route")
    await delivery.start(memory_sink(peer))
    await house.append(5)
    await trio.sleep(HOUR)
    closed = delivery.status()["desk"]
    peer.refuses_to_open = None
    await until(lambda: len(peer.held) == 5)

    assert (closed.state, closed.last_error) == (SinkState.RETRYING, "OSError: no route")
    assert closed.retry_at is not None


async def test_wrong_number_of_verdicts_is_a_defect(
    house: House, delivery: Delivery, autojump_clock: object
):
    """A sink that answers for fewer events than it got has accepted none of them."""
    peer = MemoryPeer()
    peer.answers_short = True
    await delivery.start(memory_sink(peer))
    await house.append(2)
    await until(lambda: len(peer.attempts) > 3)

    assert delivery.status()["desk"].last_error == "the sink gave 1 verdicts for 2 events"
    assert delivery.status()["desk"].delivered == 0


async def test_a_batch_waits_for_company(house: House, delivery: Delivery, autojump_clock: object):
    """With `batch.wait` events that come within it travel together, and none waits longer."""
    peer = MemoryPeer()
    sink = memory_sink(peer)
    batching = type(sink.options.batch)(events=500, wait=Seconds(2))
    await delivery.start(memory_sink(peer, batch=batching))
    begun = trio.current_time()
    for _ in range(10):
        await house.append()
        await trio.sleep(0.5)
    await until(lambda: len(peer.held) == 10)

    assert 2 <= peer.attempts[0] - begun <= 2.1
    assert 2 <= len(peer.attempts) <= 3


class CountingJournal(MemoryJournal):
    """Counts the writes that cursors cost."""

    moves = 0

    async def advance(self, name: str, to_seq: int, **counts: Any) -> SinkPosition:
        """Count, and do it."""
        self.moves += 1
        return await super().advance(name, to_seq, **counts)


async def test_filtered_events_move_the_cursor_together(house: House, autojump_clock: object):
    """Events that nobody wants move the cursor once a second, not one by one."""
    peer = MemoryPeer()
    house.journal = journal = CountingJournal()
    async with house.open() as delivery:
        await delivery.start(memory_sink(peer, accounts=("other",)))
        for _ in range(500):
            await house.append()
            await trio.sleep(0.01)
        await until(lambda: delivery.status()["desk"].filtered == 500)

    assert journal.moves <= 7
    assert peer.attempts == []


class LateJournal(MemoryJournal):
    """What it tells of positions is a second old when it arrives, as from a slow disk."""

    async def sink_positions(self) -> list[SinkPosition]:
        """Read now, tell later."""
        found = await super().sink_positions()
        await trio.sleep(1)
        return found


async def test_an_old_reading_does_not_move_a_sink_back(house: House, autojump_clock: object):
    """A command that looks up positions while events travel leaves the worker's own alone."""
    peer = MemoryPeer()
    house.journal = LateJournal()
    async with house.open() as delivery:
        await delivery.start(memory_sink(peer))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(delivery.dlq_drop, [])
            await trio.sleep(0.5)
            await house.append(5)
        status = delivery.status()["desk"]

    assert (peer.seqs, status.delivered, status.pending) == ([1, 2, 3, 4, 5], 5, 0)


async def test_events_that_retention_removed_are_counted(
    house: House, delivery: Delivery, autojump_clock: object
):
    """A sink overtaken by retention goes on with what is left, and the books still balance."""
    peer = MemoryPeer()
    await house.append(10)
    await delivery.start(memory_sink(peer))
    delivery.pause("desk")
    await house.append(90)
    house.journal.overflow("desk", 40)
    house.journal.retire(61)
    delivery.resume("desk")
    await until(lambda: delivery.status()["desk"].pending == 0)
    status = delivery.status()["desk"]

    assert list(range(61, 101)) == peer.seqs
    assert (status.delivered, status.dropped) == (40, 60)
    assert adds_up(status)


async def test_a_hole_ends_the_batch_before_it(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Retention that removes what follows a batch in the making does not stall it."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer, accounts=("other",)))
    await house.append(5)
    await trio.sleep(0.1)
    await house.append(5)
    house.journal.overflow("desk", 8)
    house.journal.retire(9)
    await house.append(1, account="other")
    await until(lambda: delivery.status()["desk"].pending == 0)
    status = delivery.status()["desk"]

    assert peer.seqs == [11]
    assert adds_up(status)


async def test_a_journal_emptied_by_retention(
    house: House, delivery: Delivery, autojump_clock: object
):
    """A sink that lost everything there was waits for the next event."""
    peer = MemoryPeer()
    await delivery.start(memory_sink(peer))
    delivery.pause("desk")
    await house.append(5)
    house.journal.overflow("desk", 5)
    house.journal.retire(6)
    delivery.resume("desk")
    await trio.sleep(10)
    await house.append(1)
    await until(lambda: delivery.status()["desk"].delivered == 1)

    assert peer.seqs == [6]
    assert adds_up(delivery.status()["desk"])


async def test_a_batch_that_retention_passed_still_counts_as_delivered(
    house: House, delivery: Delivery, autojump_clock: object
):
    """What was in flight while retention gave it up, and arrives after all, is not dropped."""
    peer = MemoryPeer()
    peer.down = True
    batching = type(memory_sink(peer).options.batch)(events=10)
    await delivery.start(memory_sink(peer, batch=batching))
    await house.append(100)
    await until(lambda: len(peer.attempts) > 1)
    house.journal.overflow("desk", 50)
    house.journal.retire(51)
    peer.down = False
    await until(lambda: delivery.status()["desk"].pending == 0)
    status = delivery.status()["desk"]

    assert [*range(1, 11)] == peer.seqs[:10]
    assert [*range(51, 101)] == peer.seqs[-50:]
    assert peer.seqs == sorted(peer.seqs)
    assert (status.delivered, status.dropped) == (len(peer.seqs), 100 - len(peer.seqs))


async def test_secrets_do_not_show_in_errors(
    house: House, delivery: Delivery, autojump_clock: object
):
    """A peer that echoes a secret does not get it into `status` or the dead letters."""
    house.redactor.add("hunter2-hunter2")
    peer = MemoryPeer()
    peer.verdict = lambda _: Refused(reason="401", excerpt="bad key hunter2-hunter2")
    await delivery.start(memory_sink(peer))
    await house.append()
    await until(lambda: delivery.status()["desk"].dead_letters == 1)
    peer.crash = ValueError("https://peer/?key=hunter2-hunter2")
    await house.append()
    await until(lambda: delivery.status()["desk"].last_error is not None)

    letters = await house.journal.dead_letters("desk")
    assert letters[0].excerpt == "bad key [redacted]"
    assert delivery.status()["desk"].last_error == "ValueError: https://peer/?key=[redacted]"


async def test_a_slow_retry_does_not_overtake(
    house: House, delivery: Delivery, autojump_clock: object
):
    """Events that come while a batch waits stay behind it."""
    peer = MemoryPeer()
    peer.down = True
    await delivery.start(memory_sink(peer, retry=Retrying(initial=Seconds(10), max=Seconds(60))))
    await house.append(1)
    await trio.sleep(100)
    await house.append(1)
    await trio.sleep(100)
    peer.down = False
    await until(lambda: len(peer.held) == 2)

    assert peer.seqs == [1, 2]
