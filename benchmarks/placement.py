"""Placement at sizes that no test machine has, and what storms follow: in virtual time.

The product's own placement says how evenly accounts spread, and what moves when a gateway
joins or dies; `benchmarks.storms` plays what then happens on the gateway that is hit most,
with 10 new connections per second, venue host and gateway, and all accounts at one host.
*Fail-over*: from a death until all accounts of the dead are live again. *Reconnect*: from
a venue's return after a minute, in which all were cut off, until all are live again.
*Start*: all gateways at once, with nothing connected. Each is the gate's before all else: a
higher `connect_rate`, where the venue allows it, or more gateways shorten it.

Gateways are as many as the plan below has. A million accounts are ten clusters (`cluster.name`):
each is placed and struck by itself, and the row has the worst of the ten. *First placed* is
what each gateway computes when it starts, *placed anew* when another comes or goes; it works
on meanwhile, and says that it lives. In one cluster a million accounts and 410 gateways would
be 410 million hashes: minutes, with each start of a gateway.
"""

import time
from collections import Counter
from collections.abc import Mapping

import msgspec

from benchmarks.report import Section, Table
from benchmarks.storms import failed_over, reconnected, started
from gateway.cluster.placement import Placement, Wishes

SIZES = ((10_000, 1, 5), (100_000, 1, 41), (1_000_000, 10, 41))
"""Accounts, clusters, and gateways of each."""
QUICK = ((1_000, 1, 3), (10_000, 1, 10), (20_000, 2, 10))

COLUMNS = (
    "accounts", "clusters", "gateways", "first placed", "placed anew", "most loaded",
    "a join moves", "a death moves", "fail-over", "reconnect", "start",
)  # fmt: skip


class Spread(msgspec.Struct, frozen=True):
    """Who owns what in one cluster, before and after."""

    gateways: int
    seconds: float
    """To place all accounts for the first time."""
    seconds_anew: float
    """To place them once one gateway more, or less, is there: the slower of the two."""
    before: dict[str, str]
    joined: dict[str, str]
    left: dict[str, str]

    @property
    def most(self) -> int:
        """Accounts of the gateway that has most."""
        return max(Counter(self.before.values()).values())

    @property
    def load(self) -> float:
        """Of the gateway that has most, as a multiple of a fair share."""
        return self.most * self.gateways / len(self.before)

    @property
    def lost(self) -> list[str]:
        """Accounts of the gateway that dies."""
        return [name for name, owner in self.before.items() if owner == "gateway-0"]

    @property
    def storm(self) -> int:
        """Accounts that fall to the survivor that inherits most."""
        return max(Counter(self.left[name] for name in self.lost).values())


def measure(*, quick: bool) -> Section:
    """One row per size."""
    rows = [_row(*size) for size in (QUICK if quick else SIZES)]
    return Section(
        title="Placement, and storms",
        text=__doc__ or "",
        command="python -m benchmarks.scale placement",
        tables=[Table("By size", COLUMNS, rows)],
    )


def _row(accounts: int, clusters: int, gateways: int) -> tuple[str, ...]:
    each = accounts // clusters
    spreads = [_spread(number * each, each, gateways) for number in range(clusters)]
    row = (
        f"{accounts:,}",
        f"{clusters}",
        f"{gateways * clusters}",
        f"{max(one.seconds for one in spreads):.1f} s",
        f"{max(one.seconds_anew for one in spreads):.1f} s",
        f"{max(one.load for one in spreads):.2f} of its share",
        _share(max(_moved(one.before, one.joined) for one in spreads), gateways + 1),
        _share(max(_moved(one.before, one.left) for one in spreads), gateways),
        f"{max(failed_over(one.storm) for one in spreads):,.0f} s",
        f"{max(reconnected(one.most) for one in spreads):,.0f} s",
        f"{max(started(one.most) for one in spreads):,.0f} s",
    )
    print(row, flush=True)
    return row


def _share(moved: float, gateways: int) -> str:
    return f"{moved:.1%} (fair: {1 / gateways:.1%})"


def _spread(first: int, accounts: int, gateways: int) -> Spread:
    placement = Placement(f"account-{number}" for number in range(first, first + accounts))
    there = {f"gateway-{number}": 1.0 for number in range(gateways)}
    survivors = {name: 1.0 for name in there if name != "gateway-0"}
    before, seconds = _place(placement, there)
    joined, join_seconds = _place(placement, there | {"newcomer": 1.0})
    _place(placement, there)
    left, leave_seconds = _place(placement, survivors)
    return Spread(gateways, seconds, max(join_seconds, leave_seconds), before, joined, left)


def _place(placement: Placement, gateways: Mapping[str, float]) -> tuple[dict[str, str], float]:
    """The owners, and how long it took."""
    begun = time.perf_counter()
    for _ in placement.work_out(gateways, Wishes()):
        pass
    seconds = time.perf_counter() - begun
    return {name: ranked[0] for name, ranked in placement.placed.items()}, seconds


def _moved(old: Mapping[str, str], new: Mapping[str, str]) -> float:
    return sum(old[name] != new[name] for name in old) / len(old)
