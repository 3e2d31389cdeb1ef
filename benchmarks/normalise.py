"""Processor time per frame from text to encoded event, and where the rest of it goes.

One thread, no socket, no loop: each stage over the same frames by itself. Beside
it `json.loads` alone and ccxt's `parse_ws_order` (with the `json.loads` that it
needs), in turns. What the full path costs beyond the sum is the wire, the loop
and the hand-over between threads.
"""

import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import ccxt.pro

from adapters.fmex.normalise import read_frame
from adapters.fmex.reconcile import reconcile as fmex_reconcile
from adapters.lbank.frames import AssetPush, OrderPush, decode_frame
from adapters.lbank.normalise import normalise_push
from adapters.lbank.reconcile import reconcile as lbank_reconcile
from benchmarks.frames import blast_frames
from benchmarks.report import RESULTS, Section, Table
from gateway.accounts.book import Book
from gateway.accounts.news import Heard
from gateway.contracts.sink import SinkOptions
from gateway.contracts.told import Told
from gateway.delivery.feed import Feed
from gateway.events.model import Origin
from gateway.journal.opening import open_store
from gateway.journal.records import prepare
from gateway.journal.settings import DEFAULT_LIMITS, JournalSettings
from gateway.journal.store import Addition
from gateway.telemetry.redaction import Redactor

FRAMES: Final = 20_000
ROUNDS: Final = 5
LIST: Final = 64
"""Frames that one read of a busy socket brings."""
GROUP: Final = 8
"""Lists in one commit."""
BATCH: Final = 500
TARGET: Final = 0.25

T = TypeVar("T")
Times = dict[str, list[float]]


def measure(*, quick: bool) -> Section:
    """Time every stage in turns and keep the medians."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    tables, notes = [], []
    for venue in ("lbank", "fmex"):
        frames = blast_frames(venue, FRAMES)
        times: Times = {}
        for _ in range(1 if quick else ROUNDS):
            rivals(venue, frames, times)
            stages(venue, frames, times)
        middle = {name: statistics.median(values) for name, values in times.items()}
        ours = sum(middle[name] for name in ("decode and normalise", "book", "encode"))
        rows = [(name, f"{value:.2f}") for name, value in middle.items()]
        tables.append(Table(f"{venue}: stages", ("stage", "CPU µs/frame"), rows))
        note = f"{venue}: text to encoded event, the book included, {ours:.1f} µs"
        if venue == "lbank":
            share = middle["decode and normalise"] / middle["ccxt parse_ws_order"]
            whole = ours / middle["ccxt parse_ws_order"]
            met = "met" if whole <= TARGET else "missed"
            note += (
                f", {whole:.0%} of ccxt's parse (wanted {TARGET:.0%}: {met});"
                f" decoding and normalising alone {share:.0%}"
            )
        notes.append(note + ".")
    return Section(
        title="Normalising, and the stages behind it",
        text=__doc__ or "",
        command="python -m benchmarks normalise",
        tables=tables,
        notes=notes,
    )


def rivals(venue: str, frames: Sequence[str], times: Times) -> None:
    """What others need for the same frames."""
    timed(times, "json.loads alone", lambda: [json.loads(frame) for frame in frames])
    if venue == "lbank":
        exchange = ccxt.pro.lbank()
        parse = exchange.parse_ws_order
        timed(times, "ccxt parse_ws_order", lambda: [parse(json.loads(frame)) for frame in frames])


def stages(venue: str, frames: Sequence[str], times: Times) -> None:
    """Each stage of ours on what the one before made."""
    told = timed(times, "decode and normalise", lambda: [TELLERS[venue](each) for each in frames])
    redactor = Redactor()
    redactor.add("0123456789abcdef", "an-api-key-of-some-length", "a-stream-key-of-some-length")
    book = Book("bench", venue, reconcile=RECONCILE[venue], redactor=redactor)
    heard = Heard(origin=Origin.PUSH, received_ns=time.time_ns())
    news = timed(times, "book", lambda: [book.apply(part, heard) for part in parts(told, LIST)])
    prepared = timed(times, "encode", lambda: [prepare(each.events) for each in news])
    requests = [Addition(events, each.changes) for events, each in zip(prepared, news, strict=True)]
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder:
        store = open_store(Path(folder), JournalSettings(), DEFAULT_LIMITS.segment_ids).store

        def write() -> list[Any]:
            records: list[Any] = []
            for group in parts(requests, GROUP):
                records += store.write(group).records
                store.tidy()
            return records

        records = timed(times, "journal (writer's thread)", write)
        store.close()
    feed = Feed(None, SinkOptions(type="jsonl"))  # type: ignore[arg-type]  # reads no journal here
    items = timed(times, "delivery: filter and render", lambda: [feed.item(r) for r in records])
    with tempfile.TemporaryFile(dir=RESULTS) as file:

        def append() -> None:
            for part in parts(items, BATCH):
                os.write(file.fileno(), b"".join(item.body + b"\n" for item in part if item))
                os.fdatasync(file.fileno())

        timed(times, "jsonl (sink's thread)", append)


def tell_lbank(text: str) -> Told:
    """As the stream does it."""
    push = decode_frame(text)
    assert isinstance(push, OrderPush | AssetPush)
    return normalise_push(push, text)


def tell_fmex(text: str) -> Told:
    """As the stream does it."""
    told = read_frame(text)
    assert isinstance(told, list)
    return told[0]


TELLERS: Final[dict[str, Callable[[str], Told]]] = {"lbank": tell_lbank, "fmex": tell_fmex}
RECONCILE: Final = {"lbank": lbank_reconcile, "fmex": fmex_reconcile}


def timed(times: Times, name: str, work: Callable[[], T]) -> T:
    """Do it, and note the processor time per frame."""
    # As `gateway run` does: else each stage pays for walks over all that ccxt has loaded.
    gc.freeze()
    begun = time.process_time()
    result = work()
    times.setdefault(name, []).append((time.process_time() - begun) / FRAMES * 1e6)
    return result


def parts(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """In pieces."""
    return [items[start : start + size] for start in range(0, len(items), size)]
