"""What an account costs: memory, time until live, processor time while nothing happens.

Half of the accounts on a pretend LBank, half on a pretend FMEX, each venue in a process
of its own; over TLS all of them on LBank, behind a process that speaks TLS. Turns to
connect are not waited for (`connect_rate: 1000`; by default a host gets ten a second).
Memory is what the gateway holds beyond what it holds with the smallest number of
accounts, five seconds after all are live; quiet CPU is over ten seconds in which only
heartbeats pass. Then all sockets are cut at once: *back* is when every account is live
again and its gap is read and closed.
"""

import os
import re
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from unittest.mock import patch

import msgspec

from benchmarks.processes import (
    Gateway,
    Venue,
    cpu_seconds,
    open_gateway,
    open_process,
    open_venue,
    resident_bytes,
    wait_until,
)
from benchmarks.report import RESULTS, Plot, Section, Table
from tests.doubles.servers.certificates import Certificates, make_certificates

COUNTS: Final = (2, 100, 500, 1_000, 2_000)
TLS_COUNTS: Final = (2, 500)
SETTLE_SECONDS: Final = 5
QUIET_SECONDS: Final = 10
TARGET_ACCOUNTS: Final = 1_000
TARGET_KIB: Final = 64
TARGET_QUIET: Final = 0.05
COLUMNS: Final = (
    "accounts", "s until live", "CPU s", "MiB", "KiB/account", "quiet, of a core", "s until back",
)  # fmt: skip


class Crowd(msgspec.Struct, frozen=True):
    """One number of accounts, measured."""

    accounts: int
    live_seconds: float
    live_cpu_seconds: float
    resident: int
    quiet: float
    """Share of one core."""
    back_seconds: float


def measure(*, quick: bool) -> Section:
    """Measure each number of accounts once."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    crowds = [gather(count) for count in (COUNTS[:2] if quick else COUNTS)]
    over_tls = [gather(count, tls=True) for count in (TLS_COUNTS[:1] if quick else TLS_COUNTS)]
    return Section(
        title="Many accounts",
        text=__doc__ or "",
        command="python -m benchmarks many_accounts",
        tables=[
            Table("Without TLS", COLUMNS, rows_of(crowds)),
            Table("Over TLS", COLUMNS, rows_of(over_tls)),
        ],
        plots=[
            Plot(
                "Memory",
                "MiB",
                [f"{crowd.accounts:,}" for crowd in crowds],
                [crowd.resident / 2**20 for crowd in crowds],
            )
        ],
        notes=[verdict(crowds)],
    )


def rows_of(crowds: Sequence[Crowd]) -> list[tuple[str, ...]]:
    """One row per number of accounts."""
    return [
        (
            f"{crowd.accounts:,}",
            f"{crowd.live_seconds:.1f}",
            f"{crowd.live_cpu_seconds:.1f}",
            f"{crowd.resident / 2**20:.0f}",
            f"{each_kib(crowd, crowds[0]):.0f}" if crowd is not crowds[0] else "",
            f"{crowd.quiet:.1%}",
            f"{crowd.back_seconds:.1f}",
        )
        for crowd in crowds
    ]


def verdict(crowds: Sequence[Crowd]) -> str:
    """How far the targets are met, by the crowd that they are meant for."""
    crowd = next((each for each in crowds if each.accounts >= TARGET_ACCOUNTS), crowds[-1])
    kib = each_kib(crowd, crowds[0])
    memory = "met" if kib <= TARGET_KIB else "missed"
    quiet = "met" if crowd.quiet <= TARGET_QUIET else "missed"
    return (
        f"{crowd.accounts:,} accounts without TLS: {kib:.0f} KiB each (wanted {TARGET_KIB}:"
        f" {memory}), {crowd.quiet:.1%} of a core when quiet (wanted {TARGET_QUIET:.0%}: {quiet})."
    )


def each_kib(crowd: Crowd, smallest: Crowd) -> float:
    """Memory of one account more."""
    more = crowd.accounts - smallest.accounts
    return (crowd.resident - smallest.resident) / more / 1024


def gather(count: int, *, tls: bool = False) -> Crowd:
    """Start so many accounts, look, cut them all, and wait until they are back."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=RESULTS)))
        names = ("lbank",) if tls else ("lbank", "fmex")
        each = count // len(names)
        venues = [stack.enter_context(open_venue(name, each)) for name in names]
        text = "".join(venue.read_configuration(each) for venue in venues)
        if tls:
            certificates = make_certificates(folder / "certificates")
            # As the system's trust, which the gateway asks.
            trust = {"SSL_CERT_FILE": str(certificates.ca)}
            stack.enter_context(patch.dict(os.environ, trust))
            text = over_tls(stack, text, venues[0], certificates)
        begun = time.monotonic()
        gateway = stack.enter_context(open_gateway(folder, text, "trio-websocket"))
        gateway.wait_live(count)
        live_seconds, live_cpu = time.monotonic() - begun, cpu_seconds(gateway.pid)
        time.sleep(SETTLE_SECONDS)
        resident, used = resident_bytes(gateway.pid), cpu_seconds(gateway.pid)
        time.sleep(QUIET_SECONDS)
        quiet = (cpu_seconds(gateway.pid) - used) / QUIET_SECONDS
        back_seconds = cut_all(gateway, venues)
    crowd = Crowd(count, live_seconds, live_cpu, resident, quiet, back_seconds)
    print(crowd, flush=True)
    return crowd


def over_tls(stack: ExitStack, text: str, venue: Venue, certificates: Certificates) -> str:
    """The accounts, behind a front that speaks TLS."""
    port = venue.rest_url.rpartition(":")[2]
    command = (port, str(certificates.certificate), str(certificates.key))
    front = stack.enter_context(open_process("-m", "benchmarks.tls_front", *command))
    assert front.stdout is not None
    secure_port = front.stdout.readline().strip()
    return re.sub(rf"(http|ws)://([^:/]+):{port}", rf"\1s://\2:{secure_port}", text)


def cut_all(gateway: Gateway, venues: Sequence[Venue]) -> float:
    """Cut every socket; seconds until every account is live, its gap closed."""
    begun = time.monotonic()
    for venue in venues:
        venue.drop()

    def all_back() -> bool:
        found = gateway.status()["accounts"].values()
        return all(
            each["state"] == "live" and each["gaps"]["total"] > 0 and not each["gaps"]["open"]
            for each in found
        )

    wait_until(all_back, "every account back", poll_seconds=0.2)
    return time.monotonic() - begun
