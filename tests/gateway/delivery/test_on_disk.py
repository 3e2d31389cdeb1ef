"""The real journal, real files and threads: the way that events take in production."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from gateway.contracts.sink import ConfiguredSink, SinkOptions
from gateway.contracts.values import Bytes
from gateway.delivery import Delivery, Range, open_delivery
from gateway.journal import Journal, JournalSettings, Retention, open_journal
from gateway.sinks.jsonl import SINK, JsonlSettings
from gateway.telemetry.metrics import Metrics
from tests.doubles.events import fill_event
from tests.doubles.sinks import MemoryPeer, memory_sink
from tests.gateway.delivery.conftest import START_NS, adds_up, until

JSONL = ConfiguredSink(
    name="events",
    spec=SINK,
    options=SinkOptions(type="jsonl", start="earliest"),
    settings=JsonlSettings(path="events.jsonl"),
)


DEFAULT = Retention()


class FixedClock:
    """Stands at the time when the events were received."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return START_NS


@asynccontextmanager
async def gateway(
    state_dir: Path, retain: Retention = DEFAULT, metrics: Metrics | None = None
) -> AsyncIterator[tuple[Journal, Delivery]]:
    """A journal and its deliveries."""
    settings, clock = JournalSettings(retain=retain), FixedClock()  # by which no event is old
    metrics = metrics or Metrics()
    async with (
        open_journal(state_dir, settings, clock=clock, metrics=metrics) as journal,
        open_delivery(journal, clock=clock, metrics=metrics, state_dir=state_dir) as delivery,
    ):
        yield journal, delivery


async def append(journal: Journal, first: int, count: int) -> None:
    """Journal so many new fills."""
    for begin in range(first, first + count, 500):
        numbers = range(begin, min(begin + 500, first + count))
        await (await journal.append([fill_event(n) for n in numbers])).wait()


def written(state_dir: Path) -> list[int]:
    """The seqs in the file of events."""
    lines = (state_dir / "events.jsonl").read_bytes().splitlines()
    return [json.loads(line)["seq"] for line in lines]


async def test_events_reach_a_file_over_restarts(tmp_path: Path):
    """What is journalled stands in the file, in order, once, over orderly restarts."""
    for start in range(3):
        async with gateway(tmp_path) as (journal, delivery):
            await delivery.start(JSONL)
            await append(journal, start * 2000, 2000)
            assert await delivery.drain(30) == {}

    assert written(tmp_path) == list(range(1, 6001))


async def test_a_start_that_was_cut_short(tmp_path: Path):
    """Workers cut in the middle of a backlog lose nothing and leave no torn line."""
    async with gateway(tmp_path) as (journal, _):
        await append(journal, 0, 20_000)
    for _ in range(5):
        async with gateway(tmp_path) as (journal, delivery):
            await delivery.start(JSONL)
            await trio.sleep(0.02)
    async with gateway(tmp_path) as (journal, delivery):
        await delivery.start(JSONL)
        assert await delivery.drain(30) == {}
        status = delivery.status()["events"]

    assert list(dict.fromkeys(written(tmp_path))) == list(range(1, 20_001))
    assert adds_up(status)


async def test_a_hung_sink_beside_a_file(tmp_path: Path):
    """A sink that never answers delays neither the file beside it nor the stop."""
    hung = MemoryPeer()
    hung.hanging = True
    async with gateway(tmp_path) as (journal, delivery):
        await delivery.start(memory_sink(hung, "hung"))
        await delivery.start(JSONL)
        await append(journal, 0, 3000)
        await until(lambda: delivery.status()["events"].pending == 0, seconds=60)
        with trio.fail_after(30):
            assert await delivery.drain(0.2) == {"hung": 3000}

    assert written(tmp_path) == list(range(1, 3001))


async def test_replay_and_dead_letters_on_disk(tmp_path: Path):
    """Errands work on the journal's own tables, and their counts survive a restart."""
    peer = MemoryPeer()
    async with gateway(tmp_path) as (journal, delivery):
        await delivery.start(memory_sink(peer))
        await append(journal, 0, 100)
        await until(lambda: delivery.status()["desk"].pending == 0, seconds=60)
        report = await delivery.replay("desk", Range(from_seq=91))
    async with gateway(tmp_path) as (journal, delivery):
        known = delivery.status()["desk"]

    assert (report.sent, known.replayed, known.delivered) == (10, 10, 100)
    assert peer.seqs == [*range(1, 101), *range(91, 101)]


async def test_what_a_sink_loses_shows_at_once(tmp_path: Path):
    """Retention passes a sink at rest: its status and its metric say so, once, before it moves."""
    peer, metrics = MemoryPeer(), Metrics()
    lost = metrics.cell("gateway_sink_dropped_events", "desk", "overflow")
    async with gateway(tmp_path, Retention(size=Bytes(1 << 20)), metrics) as (journal, delivery):
        await delivery.start(memory_sink(peer), paused=True)
        await append(journal, 0, 8000)
        await until(lambda: journal.first_seq > 1, seconds=60)
        resting = delivery.status()["desk"]
        assert lost.value == resting.dropped == journal.first_seq - 1
        assert adds_up(resting)
        delivery.resume("desk")
        await until(lambda: delivery.status()["desk"].pending == 0, seconds=60)
        after = delivery.status()["desk"]

    assert len(peer.seqs) == 8000 - after.dropped
    # A batch that retention passed while it was under way was not lost after all.
    assert after.dropped <= lost.value <= journal.first_seq - 1
