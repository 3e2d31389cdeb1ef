"""Frames per second from a venue's socket to fsynced lines in a file.

A pretend venue in a process of its own sends frames, each a new order, as fast as
they are taken. The gateway takes them through decoding, book, journal (fsync) and
a `jsonl` sink (fsync). In turns with it run: a *bare* loop that only receives the
same frames, over trio-websocket with that library alone, over websockets with the
gateway's own wire; `ccxt.pro` `watch_orders` on the same LBank,
which neither stores nor delivers; and a loop that only writes and fsyncs what the
gateway wrote. After each run the delivered order ids are compared with those sent.
Where other programs share the machine, the rates of a gateway with three busy
threads suffer more than those of a loop with one: then the ratio of CPU tells more.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.peers import LAST_STATE
from benchmarks.processes import (
    Venue,
    cpu_seconds,
    open_gateway,
    open_process,
    open_venue,
    wait_until,
)
from benchmarks.report import RESULTS, Plot, Section, Table

FRAMES: Final = 40_000
ACCOUNTS: Final = (1, 10, 100)
TRANSPORTS: Final = ("trio-websocket", "websockets")
ROUNDS: Final = 2
GROUP_LINES: Final = 500
"""Lines that one fsync of the writing loop covers: a sink's default batch."""

TARGET_BARE: Final = {"trio-websocket": 0.4}
"""A bare loop over websockets is our own wire by itself: a ceiling, not a rival."""
TARGET_CCXT: Final = {"trio-websocket": 1.2, "websockets": 2.0}


class Run(msgspec.Struct, frozen=True):
    """One measurement."""

    frames: int
    seconds: float
    cpu_seconds: float
    shown: int

    @property
    def rate(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds

    @property
    def cpu_micros(self) -> float:
        """Processor time per frame."""
        return self.cpu_seconds / self.frames * 1e6


Key = tuple[str, str, str, int]
"""What, venue, transport, accounts."""


def measure(*, quick: bool) -> Section:
    """Run everything in turns and keep the medians."""
    runs: dict[Key, list[Run]] = {}
    frames = FRAMES // 2 if quick else FRAMES
    for number in range(1 if quick else ROUNDS):
        for venue in ("lbank", "fmex"):
            for accounts in ACCOUNTS:
                for key, run in one_round(venue, accounts, frames):
                    runs.setdefault(key, []).append(run)
                    print(f"{number + 1} {key}: {run.rate:,.0f}/s, {run.cpu_micros:.1f} µs CPU")
    return section({key: median(found) for key, found in runs.items()})


def one_round(venue: str, accounts: int, frames: int) -> Iterable[tuple[Key, Run]]:
    """Everything once, on one number of accounts."""
    for transport in TRANSPORTS:
        yield ("bare", venue, transport, accounts), run_bare(venue, transport, accounts, frames)
        run, written = run_gateway(venue, transport, accounts, frames)
        yield ("gateway", venue, transport, accounts), run
        if transport == TRANSPORTS[0]:
            yield ("write", venue, "", accounts), write_alone(written)
    if venue == "lbank":
        yield ("ccxt", venue, "", accounts), run_ccxt(accounts, frames)


def run_gateway(
    name: str, transport: str, accounts: int, frames: int, states: int = 1
) -> tuple[Run, bytes]:
    """The gateway; gives what it wrote as well."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RESULTS) as folder, open_venue(name, accounts) as venue:
        text = venue.read_configuration(accounts)
        with open_gateway(Path(folder), text, transport) as gateway:
            gateway.wait_live(accounts)
            before = gateway.events.stat().st_size if gateway.events.exists() else 0
            follower = LineCounter(gateway.events, before)
            used = cpu_seconds(gateway.pid)
            begun = time.monotonic()
            venue.blast(frames // accounts, states)
            sent = frames // accounts * accounts
            lines = sent + sent * (states - 1) // states  # all but the first tell a trade too
            wait_until(lambda: follower.lines() >= lines, "all frames delivered")
            seconds = time.monotonic() - begun
            used = cpu_seconds(gateway.pid) - used
            written = gateway.events.read_bytes()[before:]
    check(name, written, sent, states)
    return Run(sent, seconds, used, sent), written


def check(name: str, written: bytes, sent: int, states: int) -> None:
    """See that what was delivered is what was sent: each state once, none besides."""
    events = [json.loads(line) for line in written.splitlines()]
    orders = [event["order"] for event in events if event["kind"] == "order"]
    found = {(order["order_id"], order["filled_quantity"]) for order in orders}
    first = 700_000_000_000
    wanted = {LAST_STATE % n if name == "lbank" else str(first + n) for n in range(sent // states)}
    assert len(orders) == len(found) == sent, f"{len(orders)} of {sent} delivered"
    assert {order_id for order_id, _ in found} == wanted, "other orders than those sent"


class LineCounter:
    """Counts the lines that a file grows by."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._offset = offset
        self._lines = 0

    def lines(self) -> int:
        """So far."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
            self._offset += len(data)
            self._lines += data.count(b"\n")
        return self._lines


def run_bare(name: str, transport: str, accounts: int, frames: int) -> Run:
    """A loop that only receives."""
    with open_venue(name, accounts) as venue:
        keys = venue.keys(venue.read_configuration(accounts))
        key = keys[0] if name == "fmex" else ""
        each = frames // accounts
        command = ("bare", venue.websocket_url, transport, str(accounts), str(each), key)
        return run_peer(venue, command, accounts, each)


def run_ccxt(accounts: int, frames: int, states: int = 1) -> Run:
    """Accounts that ccxt follows, all in one process."""
    with open_venue("lbank", accounts) as venue:
        keys = venue.keys(venue.read_configuration(accounts))
        each = frames // accounts
        command = ("ccxt", venue.rest_url, venue.websocket_url, str(each), *keys)
        return run_peer(venue, command, accounts, each, states)


def run_peer(
    venue: Venue, command: Sequence[str], accounts: int, frames: int, states: int = 1
) -> Run:
    """Start a peer, blast, and read what it tells."""
    with open_process("-m", "benchmarks.peers", *command) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        wait_until(lambda: venue.connections() >= accounts, "the peer connected")
        used = cpu_seconds(process.pid)
        begun = time.monotonic()
        venue.blast(frames, states)
        told = json.loads(process.stdout.readline())
    sent = frames * accounts
    return Run(sent, told["at"] - begun, told["cpu"] - used, told["shown"])


def write_alone(written: bytes) -> Run:
    """Write and fsync the same lines, in groups, and nothing else."""
    lines = written.splitlines(keepends=True)
    with tempfile.NamedTemporaryFile(dir=RESULTS) as file:
        begun, used = time.monotonic(), time.process_time()
        for start in range(0, len(lines), GROUP_LINES):
            os.write(file.fileno(), b"".join(lines[start : start + GROUP_LINES]))
            os.fdatasync(file.fileno())
        seconds, used = time.monotonic() - begun, time.process_time() - used
    return Run(len(lines), seconds, used, len(lines))


def median(runs: Sequence[Run]) -> Run:
    """The median of each figure."""
    return Run(
        runs[0].frames,
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu_seconds for run in runs),
        runs[0].shown,
    )


def section(runs: Mapping[Key, Run]) -> Section:
    """The tables, and how far the targets are met."""
    rows, notes, bars = [], [], {}
    for (what, venue, transport, accounts), run in runs.items():
        if what != "gateway":
            continue
        bare, ccxt = runs["bare", venue, transport, accounts], runs["ccxt", "lbank", "", accounts]
        share, times = run.rate / bare.rate, run.rate / ccxt.rate
        work = f"{bare.cpu_micros / run.cpu_micros:.0%}"
        cells: tuple[str, ...] = (f"{run.rate:,.0f}", f"{run.cpu_micros:.1f}", f"{bare.rate:,.0f}")
        cells += (f"{bare.cpu_micros:.1f}", f"{share:.0%}", work, f"{times:.2f}")
        rows.append((venue, transport, str(accounts), *cells))
        if venue == "lbank":
            notes.append(_verdict(transport, accounts, share, times))
            bars[f"gateway {transport} {accounts}"] = run.rate
    for accounts in ACCOUNTS:
        bars[f"ccxt {accounts}"] = runs["ccxt", "lbank", "", accounts].rate
    head = ("venue", "transport", "accounts", "gateway frames/s", "CPU µs/frame", "bare frames/s")
    tail = ("CPU µs/frame", "of bare, by rate", "of bare, by CPU", "times ccxt")
    write = runs["write", "lbank", "", 1]
    alone = (f"{write.rate:,.0f}", f"{write.cpu_micros:.1f}", "LBank's lines")
    others = [_ccxt_row(accounts, runs["ccxt", "lbank", "", accounts]) for accounts in ACCOUNTS]
    others.append(("write and fsync alone", *alone))
    return Section(
        title="Full path",
        text=__doc__ or "",
        command="python -m benchmarks full_path",
        tables=[
            Table("Gateway beside a bare loop", (*head, *tail), rows),
            Table("What else ran", ("", "frames/s", "CPU µs/frame", ""), others),
        ],
        plots=[Plot("LBank, frames per second", "frames/s", list(bars), list(bars.values()))],
        notes=["Every order sent was delivered once, in every run.", *notes],
    )


def _ccxt_row(accounts: int, run: Run) -> tuple[str, ...]:
    name = f"ccxt.pro `watch_orders`, LBank, {accounts} account(s)"
    shown = f"{run.shown / run.frames:.0%} of the orders shown"
    return (name, f"{run.rate:,.0f}", f"{run.cpu_micros:.1f}", shown)


def _verdict(transport: str, accounts: int, share: float, times: float) -> str:
    of_bare, of_ccxt = TARGET_BARE.get(transport, 0.0), TARGET_CCXT[transport]
    met = share >= of_bare and times >= of_ccxt
    bare = f" (wanted {of_bare:.0%})" if of_bare else ""
    return (
        f"LBank over {transport}, {accounts} account(s): {share:.0%} of bare{bare},"
        f" {times:.2f} times ccxt (wanted {of_ccxt}): {'met' if met else 'missed'}."
    )
