"""Placement at sizes that no test machine has, and what storms follow: in virtual time.

The product's own placement says how evenly accounts spread, and what moves when a gateway
joins or dies; `benchmarks.storms` plays what then happens on the gateway that is hit most,
with 10 new connections per second, venue host and gateway, and all accounts at one host.
*Fail-over*: from a death until all accounts of the dead are live again. *Reconnect*: from
a venue's return after a minute, in which all were cut off, until all are live again.
*Start*: all gateways at once, with nothing connected. Each is the gate's before all else: a
higher `connect_rate`, where the venue allows it, or more gateways shorten it. *To place* is
what each gateway computes when a member comes or goes. A million accounts in one cluster
took 33 s, eight leases: they belong into ten clusters (`cluster.name`), each as the last row,
and each with its own storms.
"""

import time
from collections import Counter
from collections.abc import Mapping

import msgspec

from benchmarks.report import Section, Table
from benchmarks.storms import failed_over, reconnected, started
from gateway.cluster.placement import Wishes, place

SIZES = ((10_000, 3), (100_000, 10))
QUICK = ((1_000, 3), (10_000, 10))

COLUMNS = (
    "accounts", "gateways", "to place", "most loaded", "a join moves", "a death moves",
    "fail-over", "reconnect", "start",
)  # fmt: skip


class Spread(msgspec.Struct, frozen=True):
    """Who owns what, before and after."""

    seconds: float
    before: dict[str, str]
    joined: dict[str, str]
    left: dict[str, str]

    @property
    def most(self) -> int:
        """Accounts of the gateway that has most."""
        return max(Counter(self.before.values()).values())

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


def _row(accounts: int, gateways: int) -> tuple[str, ...]:
    spread = _spread(accounts, gateways)
    row = (
        f"{accounts:,}",
        f"{gateways}",
        f"{spread.seconds:.1f} s",
        f"{spread.most * gateways / accounts:.2f} of its share",
        f"{_moved(spread.before, spread.joined):.1%} (fair: {1 / (gateways + 1):.1%})",
        f"{_moved(spread.before, spread.left):.1%} (fair: {len(spread.lost) / accounts:.1%})",
        f"{failed_over(spread.storm):,.0f} s",
        f"{reconnected(spread.most):,.0f} s",
        f"{started(spread.most):,.0f} s",
    )
    print(row, flush=True)
    return row


def _spread(accounts: int, gateways: int) -> Spread:
    names = [f"account-{number}" for number in range(accounts)]
    there = {f"gateway-{number}": 1.0 for number in range(gateways)}
    begun = time.perf_counter()
    before = _owners(names, there)
    seconds = time.perf_counter() - begun
    survivors = {name: 1.0 for name in there if name != "gateway-0"}
    return Spread(
        seconds, before, _owners(names, there | {"newcomer": 1.0}), _owners(names, survivors)
    )


def _owners(names: list[str], gateways: Mapping[str, float]) -> dict[str, str]:
    return {name: ranked[0] for name, ranked in place(names, gateways, Wishes()).items()}


def _moved(old: Mapping[str, str], new: Mapping[str, str]) -> float:
    return sum(old[name] != new[name] for name in old) / len(old)
