"""Rotten bits anywhere in the files of a journal: found or harmless, never passed on.

A journal with records, sealed ids, a book, a sink and dead letters is written
once; each mutation changes a fresh copy of its files at a seeded place. Whatever
then comes out has to be exactly what went in.
"""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import trio

from gateway.errors import JournalDamaged
from gateway.journal import DeadLetter, Journal, JournalSettings, open_journal, verify
from gateway.journal.settings import Limits
from gateway.telemetry.metrics import Metrics
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import CLOCK
from tests.gateway.journal.crash import FILES, crash_copy, fill_one_by_one

EVENTS = 400
IN_WAL_ONLY = 40

Mutation = Callable[[random.Random, Path], str]


def flip_bit(rng: random.Random, path: Path) -> str:
    """Turn one bit."""
    data = bytearray(path.read_bytes())
    offset = rng.randrange(len(data))
    data[offset] ^= 1 << rng.randrange(8)
    path.write_bytes(data)
    return f"bit at {offset} of {path.name}"


def zero_block(rng: random.Random, path: Path) -> str:
    """Lose a sector."""
    data = bytearray(path.read_bytes())
    offset = rng.randrange(len(data)) & ~511
    data[offset : offset + 512] = bytes(512)
    path.write_bytes(data)
    return f"zeros at {offset} of {path.name}"


def swap_pages(rng: random.Random, path: Path) -> str:
    """Exchange two pages, each sound by itself."""
    data = bytearray(path.read_bytes())
    first, second = (4096 * rng.randrange(1, len(data) // 4096) for _ in range(2))
    one, other = data[first : first + 4096], data[second : second + 4096]
    data[first : first + 4096], data[second : second + 4096] = other, one
    path.write_bytes(data)
    return f"pages at {first} and {second} of {path.name} swapped"


def cut_short(rng: random.Random, path: Path) -> str:
    """Lose the end."""
    size = rng.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.truncate(size)
    return f"{path.name} cut to {size}"


def remove(_rng: random.Random, path: Path) -> str:
    """Lose the file."""
    path.unlink()
    return f"{path.name} removed"


MUTATIONS: list[Mutation] = (
    [flip_bit] * 12 + [zero_block] * 4 + [swap_pages] * 2 + [cut_short, remove]
)


def open_small(directory: Path) -> AbstractAsyncContextManager[Journal]:
    """A journal that seals its ids early."""
    limits = Limits(segment_ids=100)
    return open_journal(directory, JournalSettings(), clock=CLOCK, metrics=Metrics(), limits=limits)


async def write_everything(source: Path, target: Path) -> None:
    """Most of it in the database file, the newest only in the WAL."""
    async with open_small(source) as journal:
        events = [fill_event(n) for n in range(1, EVENTS - IN_WAL_ONLY + 1)]
        for begin in range(0, len(events), 50):
            part = events[begin : begin + 50]
            await (await journal.append(part, [("a", "orders", str(begin), b"known")])).wait()
        await journal.register_sink(
            "desk", "webhook", "earliest", holds_retention=True, overflow="block"
        )
        dead = [
            DeadLetter(sink="desk", record=record, reason="400", first_try_ns=1, last_try_ns=2)
            for record in await journal.read(0, 10)
        ]
        await journal.advance("desk", 30, delivered=20, filtered=0, dead=dead)
    async with open_small(source) as journal:
        await fill_one_by_one(journal, EVENTS - IN_WAL_ONLY + 1, EVENTS)
        crash_copy(source, target)


async def read_everything(directory: Path) -> tuple[int, bool]:
    """Read all of it, comparing each thing with what was written; the last seq."""
    async with open_small(directory) as journal:
        at = journal.first_seq - 1
        assert at == 0
        while records := await journal.read(at, 100):
            for record in records:
                assert record.event() == fill_event(record.seq)
            at = records[-1].seq
        assert set((await journal.load_book("a")).values()) == {b"known"}
        [position] = await journal.sink_positions()
        assert (position.cursor, position.delivered, position.dead_letters) == (30, 20, 10)
        for letter in await journal.dead_letters():
            assert letter.record.event() == fill_event(letter.record.seq)
        return at


def judge(directory: Path, what: str) -> str:
    """`found`, `healed` or `harmless`; anything else fails."""
    verdict = verify(directory)
    try:
        last = trio.run(read_everything, directory)
    except JournalDamaged:
        assert verdict.findings, f"{what}: found by reading, but not by verify"
        return "found"
    if last < EVENTS:
        # Only the end of the WAL can be taken for a write that was cut short.
        assert ".db-wal" in what, f"{what}: {EVENTS - last} records lost without a word"
        return "healed"
    return "found" if verdict.findings else "harmless"


def run_mutations(written: Path, workplace: Path, seeds: Iterable[int]) -> Counter[str]:
    """Judge one mutation per seed; how many were found, healed and harmless."""
    results: Counter[str] = Counter()
    for seed in seeds:
        rng = random.Random(seed)
        copy = workplace / f"mutation-{seed}"
        shutil.copytree(written, copy)
        target = copy / rng.choices(FILES, weights=(6, 5, 1))[0]
        what = (
            rng.choice(MUTATIONS)(rng, target)
            if target.stat().st_size > 8192
            else flip_bit(rng, target)
        )
        results[judge(copy, f"seed {seed}: {what}")] += 1
        shutil.rmtree(copy)
    return results
