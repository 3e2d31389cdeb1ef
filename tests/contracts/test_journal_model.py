"""The journal against a model of a few dozen lines, over random histories.

Append, with and without repeats; orderly restarts, and crashes (the files are
copied while the gateway runs, and the copy goes on); sinks that come, move,
refuse, leave and come back; dead letters that are settled; old records that are
retired; rot in a copy of the files. After each step the journal has to say what
the model says.
"""

import random
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
import trio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.contracts.values import Seconds
from gateway.errors import JournalDamaged
from gateway.journal import (
    DeadLetter,
    Journal,
    JournalSettings,
    Retention,
    SinkPosition,
    open_journal,
    open_reader,
)
from gateway.journal.settings import Limits
from gateway.telemetry.metrics import Metrics
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import SetClock
from tests.gateway.journal.crash import crash_copy, flip

NOW, MUCH_LATER = "2026-01-02T03:04:06.000000Z", "2026-02-02T00:00:00.000000Z"
SETTINGS = JournalSettings(retain=Retention(age=Seconds(86_400)))
LIMITS = Limits(
    segment_ids=20, recent_events=15, retention_seconds=0.005, retry_seconds=0.005, group_events=7
)


class Append(msgspec.Struct, frozen=True):
    """Facts by number; a small range, so that many come again."""

    numbers: tuple[int, ...]


class Restart(msgspec.Struct, frozen=True):
    """Stop, and start again; `crash` goes on with what a kill would have left."""

    crash: bool


class Meet(msgspec.Struct, frozen=True):
    """Register a sink."""

    name: str
    kind: str
    start: str


class Move(msgspec.Struct, frozen=True):
    """Settle some of what waits for a sink; the seed decides what becomes of each."""

    name: str
    count: int
    seed: int


class Leave(msgspec.Struct, frozen=True):
    """A sink is disabled, or forgotten."""

    name: str
    forget: bool


class Settle(msgspec.Struct, frozen=True):
    """Replay or give up the oldest dead letter."""

    outcome: str


class Retire(msgspec.Struct, frozen=True):
    """Let everything grow old."""


class Rot(msgspec.Struct, frozen=True):
    """Flip a bit in a copy."""

    seed: int


names = st.sampled_from(["a", "b"])
steps = st.one_of(
    st.builds(Append, st.lists(st.integers(0, 120), min_size=1, max_size=12).map(tuple)),
    st.builds(Append, st.integers(0, 100).map(lambda n: tuple(range(n, n + 20)))),
    st.builds(Restart, st.booleans()),
    st.builds(
        Meet, names, st.sampled_from(["x", "x", "x", "y"]), st.sampled_from(["earliest", "latest"])
    ),
    st.builds(Move, names, st.integers(1, 15), st.integers(0, 99)),
    st.builds(Move, names, st.integers(1, 15), st.integers(0, 99)),
    st.builds(Leave, names, st.booleans()),
    st.builds(Settle, st.sampled_from(["delivered", "dropped"])),
    st.just(Retire()),
    st.builds(Rot, st.integers(0, 10_000)),
)


class Model:
    """What should be true."""

    def __init__(self) -> None:
        self.first_seq = 1
        self.numbers: list[int] = []
        """The fact of each seq, retired ones included."""
        self.sinks: dict[str, SinkPosition] = {}
        self.letters: list[tuple[str, int]] = []
        """Sink and seq."""

    @property
    def last_seq(self) -> int:
        return len(self.numbers)

    def kept(self) -> set[int]:
        return set(self.numbers[self.first_seq - 1 :])

    def change(self, name: str, **fields: object) -> None:
        self.sinks[name] = msgspec.structs.replace(self.sinks[name], **fields)

    def forget(self, name: str) -> None:
        self.sinks.pop(name, None)
        self.letters = [letter for letter in self.letters if letter[0] != name]


class History:
    """One run of steps, in the journal and in the model."""

    def __init__(self, directory: Path, stack: AsyncExitStack) -> None:
        self.directory = directory
        self.stack = stack
        self.model = Model()
        self.clock = SetClock(NOW)
        self.journal: Journal
        self.copies = 0

    async def open(self) -> None:
        self.journal = await self.stack.enter_async_context(
            open_journal(
                self.directory, SETTINGS, clock=self.clock, metrics=Metrics(), limits=LIMITS
            )
        )

    def copy(self) -> Path:
        self.copies += 1
        return crash_copy(self.directory, self.directory.with_name(f"copy-{self.copies}"))

    async def take(self, step: msgspec.Struct) -> None:
        match step:
            case Append(numbers):
                await self.append(numbers)
            case Restart(crash):
                target = self.copy() if crash else self.directory
                await self.stack.aclose()
                self.directory = target
                await self.open()
            case Meet(name, kind, start):
                await self.meet(name, kind, start)
            case Move(name, count, seed) if name in self.model.sinks:
                await self.move(name, count, random.Random(seed))
            case Leave(name, forget) if name in self.model.sinks:
                await self.leave(name, forget)
            case Settle(outcome) if self.model.letters:
                await self.settle(outcome)
            case Retire():
                await self.retire()
            case Rot(seed):
                self.rot(random.Random(seed))

    async def append(self, numbers: Sequence[int]) -> None:
        ticket = await self.journal.append(
            [fill_event(n) for n in numbers], [("acc", "last", "n", b"%d" % numbers[-1])]
        )
        for number, seq in zip(numbers, (await ticket.wait()).seqs, strict=True):
            if seq is None:
                # Ids of retired records may be known for a little longer.
                assert number in self.model.numbers
            else:
                assert number not in self.model.kept()
                self.model.numbers.append(number)
                assert seq == self.model.last_seq
        assert await self.journal.load_book("acc") == {("last", "n"): b"%d" % numbers[-1]}

    async def meet(self, name: str, kind: str, start: str) -> None:
        known = self.model.sinks.get(name)
        if known is None or known.type != kind:
            self.model.forget(name)
            begin = self.model.first_seq - 1 if start == "earliest" else self.model.last_seq
            self.model.sinks[name] = SinkPosition(
                name=name, type=kind, start_seq=begin, cursor=begin
            )
        self.model.change(name, holds_retention=True)
        await self.journal.register_sink(
            name, kind, start, holds_retention=True, overflow="drop_oldest"
        )

    async def move(self, name: str, count: int, rng: random.Random) -> None:
        position = self.model.sinks[name]
        records = await self.journal.read(position.cursor, count)
        if not records:
            return
        fates = [rng.choice(["delivered", "filtered", "dropped", "dead"]) for _ in records]
        dead = [
            DeadLetter(sink=name, record=record, reason="400", first_try_ns=1, last_try_ns=2)
            for record, fate in zip(records, fates, strict=True)
            if fate == "dead"
        ]
        counts = {fate: fates.count(fate) for fate in ("delivered", "filtered", "dropped")}
        await self.journal.advance(name, records[-1].seq, dead=dead, **counts)
        self.model.letters += [(name, letter.record.seq) for letter in dead]
        self.model.change(
            name,
            cursor=records[-1].seq,
            dead_letters=position.dead_letters + len(dead),
            **{fate: getattr(position, fate) + n for fate, n in counts.items()},
        )

    async def leave(self, name: str, forget: bool) -> None:
        if forget:
            await self.journal.forget_sink(name)
            self.model.forget(name)
        else:
            await self.journal.release_sink(name)
            self.model.change(name, holds_retention=False)

    async def settle(self, outcome: str) -> None:
        [letter] = await self.journal.dead_letters(limit=1)
        name, seq = self.model.letters.pop(0)
        assert (letter.sink, letter.record.seq) == (name, seq)
        assert await self.journal.resolve_dead_letters([letter.number], outcome) == {name: 1}
        position = self.model.sinks[name]
        self.model.change(
            name,
            dead_letters=position.dead_letters - 1,
            **{outcome: getattr(position, outcome) + 1},
        )

    async def retire(self) -> None:
        model = self.model
        holding = [sink.cursor for sink in model.sinks.values() if sink.holds_retention]
        gone = min([model.last_seq, *holding])
        model.first_seq = max(model.first_seq, gone + 1)
        for sink in list(model.sinks.values()):
            lost = model.first_seq - 1 - sink.cursor
            if lost > 0:
                model.change(sink.name, cursor=sink.cursor + lost, dropped=sink.dropped + lost)
        self.clock.set(MUCH_LATER)
        with trio.fail_after(30):
            while self.journal.first_seq != model.first_seq:  # noqa: ASYNC110 - a thread's work
                await trio.sleep(0.001)
        self.clock.set(NOW)

    def rot(self, rng: random.Random) -> None:
        copy = self.copy()
        path = copy / rng.choice(["journal.db", "journal.db-wal"])
        if path.exists() and path.stat().st_size:
            flip(path, rng.randrange(path.stat().st_size), 1 << rng.randrange(8))
        try:
            with open_reader(copy) as reader:
                found = [(record.seq, record.event()) for record in reader.select()]
        except JournalDamaged:
            return
        # Retirement may have gone on since; and the WAL's end may pass for torn.
        for seq, event in found:
            assert event == fill_event(self.model.numbers[seq - 1])

    async def check(self) -> None:
        model, journal = self.model, self.journal
        assert (journal.first_seq, journal.last_seq) == (model.first_seq, model.last_seq)
        at, seen = 0, []
        while records := await journal.read(at, 7):
            seen += [record.event() for record in records]
            at = records[-1].seq
        assert seen == [fill_event(n) for n in model.numbers[model.first_seq - 1 :]]
        assert await journal.sink_positions() == [model.sinks[n] for n in sorted(model.sinks)]
        letters = await journal.dead_letters()
        assert [(x.sink, x.record.seq) for x in letters] == model.letters
        for letter in letters:
            assert letter.record.event() == fill_event(model.numbers[letter.record.seq - 1])


async def run_history(history: Sequence[msgspec.Struct]) -> None:
    """Take the steps, checking after each; a last restart shows that all of it is on disk."""
    with tempfile.TemporaryDirectory() as directory:
        async with AsyncExitStack() as stack:
            run = History(Path(directory) / "state", stack)
            await run.open()
            for step in [*history, Restart(crash=True), Restart(crash=False)]:
                await run.take(step)
                await run.check()


quick = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
long = settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@example([Append(tuple(range(20))), Meet("a", "x", "earliest"), Leave("a", forget=False), Retire()])
@given(st.lists(steps, min_size=5, max_size=25))
async def test_the_journal_does_what_the_model_says(history: list[msgspec.Struct]):
    """Over any history, records, numbers, sinks and dead letters are those of the model."""
    await run_history(history)


@pytest.mark.scenarios
@pytest.mark.timeout(900)
@long
@given(st.lists(steps, min_size=10, max_size=60))
async def test_the_journal_does_what_the_model_says_at_length(history: list[msgspec.Struct]):
    """The same over more and longer histories."""
    await run_history(history)
