# ruff: noqa: D103 - the name of an act says what it does
"""For every sink, at any moment, nothing is unaccounted for: over random histories."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from gateway.contracts.sink import ACCEPTED, Item, Later, Refused, Verdict
from gateway.delivery import Delivery, Range, SinkCommandRefused
from tests.doubles.sinks import MemoryPeer, memory_sink
from tests.gateway.delivery.conftest import House, adds_up

SINK = "desk"
FILTERED = "other"

ACTIONS = (
    "append", "append_filtered", "down", "up", "hang", "crash", "lose_answer", "half", "poison",
    "mend", "pause", "resume", "wait", "wait_long", "restart", "reload", "overflow", "retire",
    "replay", "dlq_replay", "dlq_drop",
)  # fmt: skip
histories = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(min_value=1, max_value=20)), max_size=30
)


class History:
    """One life of a sink, and what must be true of it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.peer = MemoryPeer()
        self.delivery: Delivery
        self.wanted: set[int] = set()
        """Every event that passes the filter."""
        self.given_up: set[int] = set()
        self.generation = 0

    async def live(self, steps: list[tuple[str, int]]) -> None:
        """Go through all steps, mend everything, and let it end in order."""
        rest = iter(steps)
        going_on = True
        while going_on:
            async with self.house.open() as self.delivery:
                await self.start()
                going_on = await self.live_until_restart(rest)
                if not going_on:
                    await self.come_to_rest()

    async def live_until_restart(self, rest: Iterator[tuple[str, int]]) -> bool:
        """True when a restart is next."""
        for name, number in rest:
            if name == "restart":
                return True
            await ACTS[name](self, number)
            assert adds_up(self.delivery.status()[SINK])
        return False

    async def start(self) -> None:
        """Serve the sink."""
        self.generation += 1
        await self.delivery.reconfigure({SINK: self.configured()})

    def configured(self):
        """The sink as it is configured now."""
        wanted = memory_sink(self.peer, SINK, accounts=("lbank-main",))
        batch = type(wanted.options.batch)(events=7)
        return memory_sink(
            self.peer,
            SINK,
            colour=str(self.generation),
            accounts=("lbank-main",),
            batch=batch,
        )

    async def come_to_rest(self) -> None:
        """With all faults mended everything that was not given up has arrived, in order."""
        await mend(self, 0)
        self.delivery.resume(SINK)
        with trio.fail_after(24 * 3600):
            while self.delivery.status()[SINK].pending:  # noqa: ASYNC110 - no bell
                await trio.sleep(1)
        status = self.delivery.status()[SINK]
        assert adds_up(status)
        letters = await self.house.journal.dead_letters(SINK, limit=10_000)
        assert status.dead_letters == len(letters)
        excused = self.given_up | {letter.record.seq for letter in letters}
        assert self.wanted <= set(self.peer.seqs) | excused
        assert set(self.peer.seqs) <= self.wanted


async def append(history: History, number: int) -> None:
    before = history.house.journal.last_seq
    await history.house.append(number)
    history.wanted |= set(range(before + 1, history.house.journal.last_seq + 1))


async def append_filtered(history: History, number: int) -> None:
    await history.house.append(number, account=FILTERED)


async def down(history: History, number: int) -> None:
    history.peer.down = True


async def up(history: History, number: int) -> None:
    history.peer.down = history.peer.hanging = False
    history.peer.crash = None


async def hang(history: History, number: int) -> None:
    history.peer.hanging = True


async def crash(history: History, number: int) -> None:
    history.peer.crash = ValueError("a defect")


async def lose_answer(history: History, number: int) -> None:
    history.peer.lost_answers = 1


async def half(history: History, number: int) -> None:
    def verdict(item: Item) -> Verdict:
        return Later(reason="busy") if item.record.seq % (number + 1) == 0 else ACCEPTED

    history.peer.verdict = verdict


async def poison(history: History, number: int) -> None:
    def verdict(item: Item) -> Verdict:
        return Refused(reason="400") if item.record.seq % (number + 1) == 0 else ACCEPTED

    history.peer.verdict = verdict


async def mend(history: History, number: int) -> None:
    await up(history, number)
    history.peer.lost_answers = 0
    history.peer.verdict = lambda _: ACCEPTED


async def pause(history: History, number: int) -> None:
    history.delivery.pause(SINK)


async def resume(history: History, number: int) -> None:
    history.delivery.resume(SINK)


async def wait(history: History, number: int) -> None:
    await trio.sleep(number / 10)


async def wait_long(history: History, number: int) -> None:
    await trio.sleep(number * 100)


async def reload(history: History, number: int) -> None:
    await history.start()


async def overflow(history: History, number: int) -> None:
    journal = history.house.journal
    to_seq = min(history.delivery.status()[SINK].delivered_seq + number, journal.last_seq)
    journal.overflow(SINK, to_seq)
    history.given_up |= set(range(1, to_seq + 1))


async def retire(history: History, number: int) -> None:
    # Retention deletes only what every sink is past.
    (position,) = await history.house.journal.sink_positions()
    history.house.journal.retire(position.cursor + 1)


async def replay(history: History, number: int) -> None:
    with trio.move_on_after(60):
        try:
            await history.delivery.replay(SINK, Range(from_seq=number))
        except SinkCommandRefused:
            return


async def dlq_replay(history: History, number: int) -> None:
    with trio.move_on_after(60):
        try:
            await history.delivery.dlq_replay(SINK)
        except SinkCommandRefused:
            return


async def dlq_drop(history: History, number: int) -> None:
    letters = await history.house.journal.dead_letters(SINK, limit=number)
    history.given_up |= {letter.record.seq for letter in letters}
    await history.delivery.dlq_drop([letter.number or 0 for letter in letters])


ACTS: dict[str, Callable[[History, int], Awaitable[None]]] = {
    act.__name__: act
    for act in (
        append, append_filtered, down, up, hang, crash, lose_answer, half, poison, mend, pause,
        resume, wait, wait_long, reload, overflow, retire, replay, dlq_replay, dlq_drop,
    )
}  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(steps=histories)
def test_nothing_is_unaccounted_for(steps: list[tuple[str, int]]):
    """Whatever happens to a sink, its counts add up, and in the end nothing is missing."""

    async def life() -> None:
        with TemporaryDirectory() as directory:
            await History(House(Path(directory))).live(steps)

    trio.run(life, clock=MockClock(autojump_threshold=0))
