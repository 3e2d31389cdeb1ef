"""What a cluster costs per account and per event, over one, two and three gateways.

Whole gateways, one NATS server on disk and two pretend venues (half of the accounts each),
all on one machine: with two processors, more gateways bring no more throughput here, and
what counts is the *sum* of their processor time. Quiet is ten seconds soon after the start,
in which heartbeats pass and the first copies of books are made; then every connection is
told one order update a second for twenty seconds. NATS bytes are what the server counted in
and out, at rest and per event.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.nats_server import NatsProcess, open_nats
from benchmarks.processes import (
    Gateway,
    cpu_seconds,
    open_process,
    open_venue,
    options_added,
    resident_bytes,
    wait_until,
)
from benchmarks.report import RESULTS, Plot, Section, Table
from gateway.admin.client import NotRunning

GATEWAYS: Final = (1, 2, 3)
COUNTS: Final = (50, 500)
QUIET_SECONDS: Final = 10
LOAD_SECONDS: Final = 20
PER_SECOND: Final = 1.0
"""Order updates on each connection."""
SETTLE_SECONDS: Final = 5
COLUMNS: Final = (
    "gateways", "accounts", "MiB, sum", "quiet: gateways, of a core", "quiet: NATS, of a core",
    "quiet: NATS KiB/s", "events/s", "gateways, CPU µs/event", "NATS, CPU µs/event",
    "NATS bytes/event", "stored bytes/event",
)  # fmt: skip


class Use(msgspec.Struct, frozen=True):
    """What was used over a stretch of time."""

    seconds: float
    gateways_cpu: float
    nats_cpu: float
    nats_bytes: int
    events: int
    stored: int

    @property
    def gateways_share(self) -> float:
        """Of one core."""
        return self.gateways_cpu / self.seconds

    @property
    def nats_share(self) -> float:
        """Of one core."""
        return self.nats_cpu / self.seconds


class Crowd(msgspec.Struct, frozen=True):
    """One cluster, measured."""

    gateways: int
    accounts: int
    resident: int
    """Bytes of all gateways."""
    quiet: Use
    load: Use


class Costs(msgspec.Struct, frozen=True):
    """What follows for one account and one event, in a cluster of three."""

    account_bytes: float
    account_share: float
    """Of a core, while quiet."""
    account_nats_share: float
    account_nats_bytes: float
    """A second, while quiet."""
    event_seconds: float
    event_nats_seconds: float
    event_nats_bytes: float
    event_stored_bytes: float


def measure(*, quick: bool) -> Section:
    """Each number of gateways with each number of accounts, once."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    shapes = [(g, n) for n in (COUNTS[:1] if quick else COUNTS) for g in GATEWAYS]
    crowds = [gather(gateways, accounts) for gateways, accounts in shapes]
    (RESULTS / "cluster_costs.json").write_bytes(msgspec.json.encode(costs_of(crowds)))
    largest = [crowd for crowd in crowds if crowd.accounts == crowds[-1].accounts]
    return Section(
        title="Cost per account and per event",
        text=__doc__ or "",
        command="python -m benchmarks.scale cluster_cost",
        tables=[Table("By gateways and accounts", COLUMNS, [_row(crowd) for crowd in crowds])],
        plots=[
            Plot(
                f"CPU per event, {largest[0].accounts} accounts: all gateways together",
                "µs",
                [f"{crowd.gateways}" for crowd in largest],
                [_micro(crowd.load.gateways_cpu, crowd.load.events) for crowd in largest],
            )
        ],
        notes=[_verdict(costs_of(crowds))],
    )


def load_costs() -> Costs:
    """What the latest run found."""
    return msgspec.json.decode((RESULTS / "cluster_costs.json").read_bytes(), type=Costs)


def costs_of(crowds: Sequence[Crowd]) -> Costs:
    """By the difference of the largest and the smallest crowd of the most gateways."""
    most = max(crowd.gateways for crowd in crowds)
    of_most = [crowd for crowd in crowds if crowd.gateways == most]
    small, large = of_most[0], of_most[-1]
    more = max(large.accounts - small.accounts, 1)
    seconds, load = large.quiet.seconds, large.load
    nats_bytes = large.quiet.nats_bytes - small.quiet.nats_bytes
    return Costs(
        account_bytes=(large.resident - small.resident) / more,
        account_share=(large.quiet.gateways_share - small.quiet.gateways_share) / more,
        account_nats_share=max(large.quiet.nats_share - small.quiet.nats_share, 0) / more,
        account_nats_bytes=max(nats_bytes, 0) / seconds / more,
        event_seconds=(load.gateways_cpu - large.quiet.gateways_share * load.seconds) / load.events,
        event_nats_seconds=(load.nats_cpu - large.quiet.nats_share * load.seconds) / load.events,
        event_nats_bytes=(load.nats_bytes - large.quiet.nats_bytes / seconds * load.seconds)
        / load.events,
        event_stored_bytes=load.stored / load.events,
    )


def gather(gateways: int, accounts: int) -> Crowd:
    """Start so many gateways and accounts, look at them quiet, then under load."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=RESULTS)))
        nats = stack.enter_context(open_nats(folder))
        venues = [
            stack.enter_context(open_venue(name, accounts // 2)) for name in ("lbank", "fmex")
        ]
        text = "".join(venue.read_configuration(accounts // 2) for venue in venues)
        names = [f"gateway-{number + 1}" for number in range(gateways)]
        members = [stack.enter_context(_open_member(folder, one, nats, text)) for one in names]
        _wait_spread(members, accounts)
        time.sleep(SETTLE_SECONDS)
        quiet = _used(members, nats, QUIET_SECONDS)
        resident = sum(resident_bytes(one.pid) for one in members)
        for venue in venues:
            venue.pace(int(LOAD_SECONDS * PER_SECOND), PER_SECOND)
        load = _used(members, nats, LOAD_SECONDS + SETTLE_SECONDS)
    crowd = Crowd(gateways, accounts, resident, quiet, load)
    print(crowd, flush=True)
    return crowd


@contextmanager
def _open_member(folder: Path, name: str, nats: NatsProcess, accounts: str) -> Iterator[Gateway]:
    own = folder / name
    own.mkdir()
    config = own / "gateway.yaml"
    config.write_text(
        f"name: {name}\nstate_dir: {own / 'state'}\nhttp: null\n"
        f"cluster: {{engine: nats, url: 'nats://{nats.address}'}}\n"
        f"accounts:\n{options_added(accounts, 'websockets')}"
    )
    command = ("-m", "gateway", "run", "-c", str(config))
    with open_process(*command, log=own / "gateway.log") as process:
        yield Gateway(own, process.pid)


def _wait_spread(members: Sequence[Gateway], accounts: int) -> None:
    """Until every account is live at one gateway, and each has its share."""

    def spread() -> bool:
        try:
            statuses = [member.status() for member in members]
        except NotRunning:
            return False
        shares = [list(status["accounts"].values()) for status in statuses]
        live = [one for share in shares for one in share if _is_settled(one)]
        return all(shares) and len(live) == accounts == sum(map(len, shares))

    wait_until(spread, "every account live, and spread", poll_seconds=1.0)


def _is_settled(account: dict[str, Any]) -> bool:
    return account["state"] == "live" and not account["gaps"]["open"] and account["last_agreement"]


def _used(members: Sequence[Gateway], nats: NatsProcess, seconds: float) -> Use:
    def look() -> tuple[float, float, int, int, int]:
        gateways = sum(cpu_seconds(member.pid) for member in members)
        messages, stored = nats.log_size()
        return gateways, cpu_seconds(nats.pid), nats.traffic_bytes(), messages, stored

    before, begun = look(), time.monotonic()
    time.sleep(seconds)
    after, ended = look(), time.monotonic()
    gateways, own, traffic, events, stored = (b - a for a, b in zip(before, after, strict=True))
    return Use(ended - begun, gateways, own, int(traffic), int(events), int(stored))


def _row(crowd: Crowd) -> tuple[str, ...]:
    quiet, load = crowd.quiet, crowd.load
    return (
        f"{crowd.gateways}",
        f"{crowd.accounts}",
        f"{crowd.resident / 2**20:.0f}",
        f"{quiet.gateways_share:.1%}",
        f"{quiet.nats_share:.1%}",
        f"{quiet.nats_bytes / quiet.seconds / 1024:.0f}",
        f"{load.events / LOAD_SECONDS:.0f}",
        f"{_micro(load.gateways_cpu, load.events):.0f}",
        f"{_micro(load.nats_cpu, load.events):.0f}",
        f"{load.nats_bytes / max(load.events, 1):.0f}",
        f"{load.stored / max(load.events, 1):.0f}",
    )


def _micro(cpu: float, events: int) -> float:
    return cpu / max(events, 1) * 1e6


def _verdict(costs: Costs) -> str:
    return (
        "With three gateways, quiet parts taken off: an account costs"
        f" {costs.account_bytes / 1024:.0f} KiB, {costs.account_share * 1e6:.0f} µs of processor"
        f" time and {costs.account_nats_bytes:.0f} NATS bytes a second while quiet; an event"
        f" {costs.event_seconds * 1e6:.0f} µs at its gateway,"
        f" {costs.event_nats_seconds * 1e6:.0f} µs at NATS, {costs.event_nats_bytes:.0f} bytes on"
        f" its wires and {costs.event_stored_bytes:.0f} in its log."
    )
