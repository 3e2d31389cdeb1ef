"""How old an order's change is when the gateway has read, journalled and delivered it.

A pretend LBank sends order updates evenly over ten accounts. Each tells when it was
sent, to the millisecond and rounded down, so figures are up to 1 ms too high. *Read* is
the gateway's own stamp; *journalled* means fsynced; *accepted* means that the sink has
answered for it (`jsonl`: fsynced; `webhook`: answered 204 by a receiver in another
process, one request at a time); *SSE* is when a client of `/events` read it: the
gateway gathers what it sends there for up to 100 ms. Each pace is tried with `jsonl` alone,
which the targets are about, and with the three at once: on two processors, which venue,
receiver and client share with the gateway, they take time from each other. Beside them, in
the same run, a loop that only writes and fsyncs one line of the same length: what a disk
answer costs here.
"""

import os
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.processes import Gateway, Venue, open_process, open_venue, options_added, wait_until
from benchmarks.report import RESULTS, Plot, Section, Table
from benchmarks.timed_gateway import Notes, Stamps
from gateway.admin.doors import CONTROL_SOCKET
from gateway.admin.unix_sockets import connect_to_path
from gateway.events.times import Timestamp, to_nanoseconds

RATES: Final = (10, 100, 600, 2_000)
ACCOUNTS: Final = 10
SECONDS: Final = 15
QUICK_SECONDS: Final = 3
SETTLE_SECONDS: Final = 2
"""From live until what the first snapshots told is journalled."""
TARGETS_MS: Final = {600: 10.0, 2_000: 25.0}
"""p99 until `jsonl` has accepted, by frames a second."""
ALONE: Final = ("read", "journalled", "jsonl accepted")
TOGETHER: Final = (*ALONE, "webhook accepted", "SSE client")
COLUMNS: Final = ("frames/s", "sinks", "stage", "events", "p50 ms", "p99 ms", "max ms")
LINE: Final = b"x" * 700 + b"\n"

Ages = dict[str, list[float]]
"""Milliseconds since it was sent, by stage."""


class Line(msgspec.Struct):
    """What is needed of a line of `jsonl`."""

    seq: int
    kind: str
    venue_time: str | None
    received_time: str


def measure(*, quick: bool) -> Section:
    """Each pace once, on a gateway of its own."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows, notes, late = [], [], {}
    for rate in RATES:
        for stages in (ALONE, TOGETHER):
            ages = pace(rate, QUICK_SECONDS if quick else SECONDS, stages)
            beside = "jsonl alone" if stages is ALONE else "three at once"
            for stage in stages:
                cells = tuple(f"{figure:.1f}" for figure in figures(ages[stage]))
                rows.append((f"{rate:,}", beside, stage, f"{len(ages[stage]):,}", *cells))
                print(*rows[-1], flush=True)
            if stages is ALONE:
                _, late[rate], _ = figures(ages["jsonl accepted"])
    for rate, wanted in TARGETS_MS.items():
        met = "met" if late[rate] <= wanted else "missed"
        notes.append(
            f"{rate:,} frames/s: p99 until `jsonl` alone accepted {late[rate]:.1f} ms"
            f" (wanted {wanted:g}: {met})."
        )
    bare = "write and fsync of one line alone"
    rows.append(("", "", bare, "", *(f"{figure:.1f}" for figure in figures(fsync_alone()))))
    return Section(
        title="Latency",
        text=__doc__ or "",
        command="python -m benchmarks latency",
        tables=[Table("Age", COLUMNS, rows)],
        plots=[
            Plot("p99 until jsonl accepted", "ms", [f"{r:,}/s" for r in late], [*late.values()])
        ],
        notes=notes,
    )


def pace(rate: int, seconds: int, stages: Sequence[str]) -> Ages:
    """Send at a pace, and compare the stamps."""
    together = stages is TOGETHER
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=RESULTS)))
        venue = stack.enter_context(open_venue("lbank", ACCOUNTS))
        sinks = "  events: {type: jsonl, path: events.jsonl, start: earliest}\n"
        if together:
            url = stack.enter_context(open_receiver())
            sinks += f"  desk: {{type: webhook, url: '{url}', mode: batch, start: earliest}}\n"
        with open_timed_gateway(folder, venue, sinks) as gateway:
            gateway.wait_live(ACCOUNTS)
            listener = SseListener(folder / "state") if together else None
            time.sleep(SETTLE_SECONDS)
            first = gateway.status()["journal"]["last_seq"]
            each = rate * seconds // ACCOUNTS
            venue.pace(each, rate / ACCOUNTS)
            last = first + each * ACCOUNTS
            if listener is not None:
                wait_until(lambda: listener.last_seq >= last, "all read by the SSE client")
                listener.stop()
            wait_until(lambda: _settled(gateway, last), "all accepted")
        notes = msgspec.json.decode((folder / "notes").read_bytes(), type=Notes)
        lines = [
            msgspec.json.decode(line, type=Line)
            for line in gateway.events.read_bytes().splitlines()
        ]
    stamps = {"journalled": notes.journalled, "jsonl accepted": notes.accepted["events"]}
    if listener is not None:
        stamps["webhook accepted"] = notes.accepted["desk"]
        stamps["SSE client"] = listener.stamps
    ages = ages_of([line for line in lines if first < line.seq <= last], stamps)
    assert len(ages["read"]) == last - first, "each order once, and nothing besides"
    return ages


def ages_of(lines: Sequence[Line], stamps: dict[str, Stamps]) -> Ages:
    """Of every order, by stage."""
    ages: Ages = {stage: [] for stage in ("read", *stamps)}
    for line in lines:
        if line.kind != "order" or line.venue_time is None:
            continue
        sent_ns = to_nanoseconds(Timestamp(line.venue_time))
        ages["read"].append((to_nanoseconds(Timestamp(line.received_time)) - sent_ns) / 1e6)
        for stage, noted in stamps.items():
            # The first stamp that reaches so far.
            _, at_ns = noted[bisect_left(noted, (line.seq, 0))]
            ages[stage].append((at_ns - sent_ns) / 1e6)
    return ages


def figures(values: Sequence[float]) -> tuple[float, float, float]:
    """p50, p99 and the largest."""
    ordered = sorted(values)
    count = len(ordered)
    return ordered[count // 2], ordered[min(count - 1, count * 99 // 100)], ordered[-1]


def fsync_alone() -> list[float]:
    """Milliseconds, five hundred times."""
    spent = []
    with tempfile.NamedTemporaryFile(dir=RESULTS) as file:
        for _ in range(500):
            begun = time.perf_counter()
            os.write(file.fileno(), LINE)
            os.fdatasync(file.fileno())
            spent.append((time.perf_counter() - begun) * 1e3)
    return spent


def _settled(gateway: Gateway, last: int) -> bool:
    status = gateway.status()
    pending = sum(sink["pending"] for sink in status["sinks"].values())
    return status["journal"]["last_seq"] >= last and pending == 0


@contextmanager
def open_receiver() -> Iterator[str]:
    """What the webhook sends to, by its URL."""
    with open_process("-m", "benchmarks.receiver") as receiver:
        assert receiver.stdout is not None
        yield receiver.stdout.readline().strip()


@contextmanager
def open_timed_gateway(folder: Path, venue: Venue, sinks: str) -> Iterator[Gateway]:
    """One with these sinks; at the end its notes stand in the folder."""
    config = folder / "gateway.yaml"
    config.write_text(
        f"name: bench\nstate_dir: {folder / 'state'}\nhttp: null\nsinks:\n{sinks}"
        f"accounts:\n{options_added(venue.read_configuration(ACCOUNTS), 'trio-websocket')}"
    )
    command = ("-m", "benchmarks.timed_gateway", str(config), str(folder / "notes"))
    with open_process(*command, log=folder / "gateway.log") as process:
        yield Gateway(folder, process.pid)


class SseListener:
    """A client of `/events` in a thread; notes when each event was read."""

    def __init__(self, state_dir: Path) -> None:
        self.stamps: Stamps = []
        self.last_seq = 0
        self._socket = connect_to_path(state_dir / CONTROL_SOCKET, 5)
        self._socket.settimeout(None)
        self._socket.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._socket.recv(1)  # it answers: from here on nothing is missed
        threading.Thread(target=self._listen, daemon=True).start()

    def stop(self) -> None:
        """Hang up."""
        self._socket.close()

    def _listen(self) -> None:
        with self._socket.makefile("rb") as answer:
            for line in answer:
                if line.startswith(b"id: "):
                    self.last_seq = int(line[4:])
                    self.stamps.append((self.last_seq, time.time_ns()))
