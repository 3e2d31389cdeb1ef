"""What an account costs: memory, time until live, processor time while nothing happens.

Half of the accounts on a pretend LBank, half on a pretend FMEX, each venue in a
process of its own, no TLS. Memory is what the gateway holds beyond what it holds
with the smallest number of accounts, five seconds after all are live; quiet CPU
is over ten seconds in which only heartbeats pass.
"""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.processes import cpu_seconds, open_gateway, open_venue, resident_bytes
from benchmarks.report import RESULTS, Plot, Section, Table

COUNTS: Final = (2, 200, 1000)
SETTLE_SECONDS: Final = 5
QUIET_SECONDS: Final = 10
TARGET_KIB: Final = 64
TARGET_QUIET: Final = 0.05


class Crowd(msgspec.Struct, frozen=True):
    """One number of accounts, measured."""

    accounts: int
    live_seconds: float
    live_cpu_seconds: float
    resident: int
    quiet: float
    """Share of one core."""


def measure(*, quick: bool) -> Section:
    """Measure each number of accounts once."""
    crowds = [gather(count) for count in (COUNTS[:2] if quick else COUNTS)]
    smallest, largest = crowds[0], crowds[-1]
    rows = [
        (
            f"{crowd.accounts:,}",
            f"{crowd.live_seconds:.1f}",
            f"{crowd.live_cpu_seconds:.1f}",
            f"{crowd.resident / 2**20:.0f}",
            f"{each_kib(crowd, smallest):.0f}" if crowd is not smallest else "",
            f"{crowd.quiet:.1%}",
        )
        for crowd in crowds
    ]
    columns = ("accounts", "s until all live", "CPU s", "MiB", "KiB/account", "quiet, of a core")
    memory = each_kib(largest, smallest)
    return Section(
        title="Many accounts",
        text=__doc__ or "",
        command="python -m benchmarks many_accounts",
        tables=[Table("Without TLS", columns, rows)],
        plots=[
            Plot(
                "Memory",
                "MiB",
                [row[0] for row in rows],
                [crowd.resident / 2**20 for crowd in crowds],
            )
        ],
        notes=[_verdict(largest, memory)],
    )


def _verdict(crowd: Crowd, kib: float) -> str:
    memory = "met" if kib <= TARGET_KIB else "missed"
    quiet = "met" if crowd.quiet <= TARGET_QUIET else "missed"
    return (
        f"{crowd.accounts:,} accounts: {kib:.0f} KiB each (wanted {TARGET_KIB}: {memory}),"
        f" {crowd.quiet:.1%} of a core when quiet (wanted {TARGET_QUIET:.0%}: {quiet})."
    )


def each_kib(crowd: Crowd, smallest: Crowd) -> float:
    """Memory of one account more."""
    more = crowd.accounts - smallest.accounts
    return (crowd.resident - smallest.resident) / more / 1024


def gather(count: int) -> Crowd:
    """Start so many accounts, and look."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=RESULTS)))
        venues = [stack.enter_context(open_venue(name, count // 2)) for name in ("lbank", "fmex")]
        text = "".join(venue.read_configuration(count // 2) for venue in venues)
        begun = time.monotonic()
        gateway = stack.enter_context(open_gateway(folder, text, "trio-websocket"))
        gateway.wait_live(count)
        live_seconds, live_cpu = time.monotonic() - begun, cpu_seconds(gateway.pid)
        time.sleep(SETTLE_SECONDS)
        resident, used = resident_bytes(gateway.pid), cpu_seconds(gateway.pid)
        time.sleep(QUIET_SECONDS)
        quiet = (cpu_seconds(gateway.pid) - used) / QUIET_SECONDS
    crowd = Crowd(count, live_seconds, live_cpu, resident, quiet)
    print(crowd, flush=True)
    return crowd
