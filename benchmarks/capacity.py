"""From the measured costs, and the engines' own published limits, what so many accounts need.

Assumed: an account is told an event every ten seconds on average (a desk's busy day; most
accounts are quieter), every event is published once and kept on three NATS servers for
seven days, and no processor is planned for more than half of its time, so that a third of
the gateways may die. Gateways are counted by processor: one runs on little more than one,
whatever the machine has. Nobody has run these
sizes: the plan is arithmetic on what was measured at 500 accounts.
"""

import math
from typing import Final

from benchmarks.cluster_cost import Costs, load_costs
from benchmarks.report import Section, Table

SIZES: Final = (10_000, 100_000, 1_000_000)
EVENTS_PER_SECOND: Final = 0.1
"""Of one account."""
KEPT_SECONDS: Final = 7 * 86_400.0
COPIES: Final = 3
PLANNED_SHARE: Final = 0.5
ACCOUNTS_PER_CLUSTER: Final = 100_000
"""More would be placed too slowly, and every gateway reads every ownership; see the table."""
ACCOUNTS_PER_GATEWAY: Final = 10_000
"""At ten new connections a second and host, its start takes a quarter of an hour as it is."""

COLUMNS: Final = (
    "accounts", "events/s", "clusters", "gateways", "GiB each, of accounts",
    "NATS messages/s per cluster", "NATS Mbit/s per cluster", "NATS processors per cluster",
    "log, GiB per server",
)  # fmt: skip

LIMITS: Final = (
    (
        "NATS: a message",
        "1 MB by default, up to 64 MB; not recommended beyond 8 MB",
        "a book's copy must fit: some thousands of open orders per account",
        "<https://docs.nats.io/running-a-nats-service/configuration>",
    ),
    (
        "NATS: JetStream questions in flight",
        "10,000, beyond which they are dropped",
        "a gateway has 64 takeovers in flight at most, one question each",
        "<https://docs.nats.io/jetstream/resource_management>",
    ),
    (
        "NATS: published by one client",
        "272,497 messages/s (16 bytes, batches of 100 in flight, in memory, one copy)",
        "a cluster of 100,000 accounts takes 10,000/s, on disks: measure yours with `nats bench`",
        "<https://github.com/nats-io/nats.docs/blob/1c81cae/using-nats/nats-tools/nats_cli/natsbench.md>",
    ),
    (
        "PostgreSQL: a table",
        "32 TB",
        "the log of 100,000 accounts for a week is far below",
        "<https://www.postgresql.org/docs/current/limits.html>",
    ),
    (
        "PostgreSQL: connections",
        "100 by default (`max_connections`)",
        "three per gateway: raise it from thirty gateways on",
        "<https://www.postgresql.org/docs/current/runtime-config-connection.html>",
    ),
)
"""What, how much, what it means here, and where it is published."""


def measure(*, quick: bool) -> Section:
    """By the latest costs that `benchmarks.cluster_cost` found; nothing is run."""
    del quick
    costs = load_costs()
    return Section(
        title="Capacity",
        text=__doc__ or "",
        command="python -m benchmarks.scale capacity",
        tables=[
            Table("Plan", COLUMNS, [_row(costs, accounts) for accounts in SIZES]),
            Table("Published limits", ("limit", "value", "here", "source"), LIMITS),
        ],
    )


def _row(costs: Costs, accounts: int) -> tuple[str, ...]:
    clusters = math.ceil(accounts / ACCOUNTS_PER_CLUSTER)
    each = accounts / clusters
    gateways = _gateways(costs, each)
    events = each * EVENTS_PER_SECOND
    traffic = each * costs.account_nats_bytes + events * costs.event_nats_bytes
    processors = each * costs.account_nats_share + events * costs.event_nats_seconds
    stored = events * costs.event_stored_bytes * KEPT_SECONDS
    return (
        f"{accounts:,}",
        f"{accounts * EVENTS_PER_SECOND:,.0f}",
        f"{clusters}",
        f"{gateways * clusters}",
        f"{each / gateways * costs.account_bytes / 2**30:.1f}",
        f"{events:,.0f}",
        f"{traffic * 8 / 1e6:,.0f}",
        f"{processors * COPIES:.1f}",
        f"{stored / 2**30:,.0f}",
    )


def _gateways(costs: Costs, accounts: float) -> int:
    """As many as their processors and their start ask for, and three at least."""
    busy = accounts * (costs.account_share + EVENTS_PER_SECOND * costs.event_seconds)
    return max(3, math.ceil(busy / PLANNED_SHARE), math.ceil(accounts / ACCOUNTS_PER_GATEWAY))
