"""Memory and tasks over time, at 600 events a second with faults.

A pretend LBank and a pretend FMEX trade on four accounts each. Again and again the
market runs for a while, in the middle of it one venue cuts all its sockets or the
gateway is told to read its configuration anew, and then everybody rests until all
gaps are closed and all events delivered: there memory, tasks and open files are read.
The first quarter is warm-up: what is kept in memory on purpose fills up meanwhile.

One thing grows later, by steps: the filter of the journal's ids doubles its room, 2 bytes
an event kept (8 MiB after two million), until retention takes away as many as come.
"""

import itertools
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.processes import (
    Gateway,
    Venue,
    open_gateway,
    open_venue,
    resident_bytes,
    wait_until,
)
from benchmarks.report import RESULTS, Plot, Section, Table

SECONDS: Final = 3_600
QUICK_SECONDS: Final = 120
ROUNDS: Final = 12
ACCOUNTS: Final = 4
"""At each venue."""
RATE: Final = 25.0
"""Moves of the market a second and account; one makes three events or so."""
SETTLE_SECONDS: Final = 2
TARGET_MIB_AN_HOUR: Final = 1.0


class Rest(msgspec.Struct, frozen=True):
    """What was held at one rest."""

    seconds: float
    """Under load before it."""
    events: int
    """Delivered so far."""
    mib: float
    tasks: int
    files: int


def measure(*, quick: bool) -> Section:
    """Run for an hour, or two minutes."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    rests = soak((QUICK_SECONDS if quick else SECONDS) / ROUNDS)
    rows = [
        (f"{r.seconds / 60:.0f}", f"{r.events:,}", f"{r.mib:.1f}", str(r.tasks), str(r.files))
        for r in rests
    ]
    head = ("minutes under load", "events", "MiB", "tasks", "open files")
    return Section(
        title="Soak",
        text=__doc__ or "",
        command="python -m benchmarks soak",
        tables=[Table("At rest", head, rows)],
        plots=[Plot("Memory", "MiB", [row[0] for row in rows], [rest.mib for rest in rests])],
        notes=[verdict(rests)],
    )


def soak(load_seconds: float) -> list[Rest]:
    """Load and rest in turns."""
    with (
        tempfile.TemporaryDirectory(dir=RESULTS) as folder,
        open_venue("lbank", ACCOUNTS) as lbank,
        open_venue("fmex", ACCOUNTS) as fmex,
    ):
        venues = (lbank, fmex)
        text = "".join(venue.read_configuration(ACCOUNTS) for venue in venues)
        with open_gateway(Path(folder), text, "trio-websocket") as gateway:
            gateway.wait_live(2 * ACCOUNTS)
            rests = [look(gateway, 0)]
            for number, fault in zip(range(ROUNDS), itertools.cycle(("lbank", "fmex", "reload"))):
                load(venues, gateway, fault, load_seconds)
                rests.append(look(gateway, (number + 1) * load_seconds))
                print(fault, rests[-1], flush=True)
    return rests


def load(venues: Sequence[Venue], gateway: Gateway, fault: str, seconds: float) -> None:
    """Let the markets run, and something happen in the middle."""
    for venue in venues:
        venue.set_rate(RATE)
    time.sleep(seconds / 2)
    if fault == "reload":
        os.kill(gateway.pid, signal.SIGHUP)
    for venue in venues:
        if venue.name == fault:
            venue.drop()
    time.sleep(seconds / 2)
    for venue in venues:
        venue.set_rate(0)


def look(gateway: Gateway, seconds: float) -> Rest:
    """Wait until all is quiet, and read what is held."""

    def is_quiet() -> bool:
        status = gateway.status()
        settled = all(
            each["state"] == "live" and not each["gaps"]["open"]
            for each in status["accounts"].values()
        )
        return settled and not status["sinks"]["events"]["pending"]

    time.sleep(SETTLE_SECONDS)
    wait_until(is_quiet, "all gaps closed and all events delivered")
    return Rest(
        seconds,
        gateway.status()["sinks"]["events"]["delivered"],
        resident_bytes(gateway.pid) / 2**20,
        int(gateway.metric("gateway_tasks")),
        len(list(Path(f"/proc/{gateway.pid}/fd").iterdir())),
    )


def verdict(rests: Sequence[Rest]) -> str:
    """The slope after the warm-up."""
    warm = rests[len(rests) // 4 :]
    line = statistics.linear_regression([r.seconds / 3600 for r in warm], [r.mib for r in warm])
    met = "met" if line.slope <= TARGET_MIB_AN_HOUR else "missed"
    return (
        f"After the warm-up memory grew by {line.slope:.1f} MiB an hour (wanted"
        f" {TARGET_MIB_AN_HOUR:g}: {met}; minutes tell little of hours); tasks"
        f" {warm[0].tasks} then {warm[-1].tasks}."
    )
