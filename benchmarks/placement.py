"""Placement at sizes that no test machine has: ``python -m benchmarks.placement [--quick]``.

The product's own placement and connection gate, in virtual time: how evenly accounts
spread, what moves when a gateway joins or dies, and how long it takes until all of a dead
gateway's accounts are connected again. Prints the table of docs/scale.md.
"""

import argparse
import time
from collections import Counter
from collections.abc import Mapping

import trio
from trio.testing import MockClock

from gateway.cluster.keeper import LOOK_SECONDS
from gateway.cluster.notes import LEASE_SECONDS
from gateway.cluster.placement import Wishes, place
from gateway.wire.limits import HostGate

SIZES = ((10_000, 3), (100_000, 10), (1_000_000, 20))
QUICK = ((1_000, 3), (10_000, 10))

CONNECT_RATE = 10.0
"""New connections per second, host and gateway: the default of `connect_rate`."""


def main() -> None:
    """Print one row per size."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.placement", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="small sizes, to try it out")
    print("| accounts | gateways | to place | most loaded | a join moves | a death moves |"
          " live again after a death | after all at once |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for accounts, gateways in QUICK if arguments.parse_args().quick else SIZES:
        print(_row(accounts, gateways), flush=True)


def _row(accounts: int, gateways: int) -> str:
    names = [f"account-{number}" for number in range(accounts)]
    there = {f"gateway-{number}": 1.0 for number in range(gateways)}
    begun = time.perf_counter()
    before = _owners(names, there)
    seconds = time.perf_counter() - begun
    joined = _owners(names, there | {"newcomer": 1.0})
    left = _owners(names, {name: 1.0 for name in there if name != "gateway-0"})
    load = Counter(before.values())
    lost = {name for name in names if before[name] == "gateway-0"}
    storm = Counter(left[name] for name in lost)
    detection = LEASE_SECONDS + LOOK_SECONDS
    return (
        f"| {accounts:,} | {gateways} | {seconds:.1f} s"
        f" | {max(load.values()) * gateways / accounts:.2f} of its share"
        f" | {_moved(before, joined):.1%} (a fair share {1 / (gateways + 1):.1%})"
        f" | {_moved(before, left):.1%} (a fair share {len(lost) / accounts:.1%})"
        f" | {detection + _connected(max(storm.values())):,.0f} s"
        f" | {_connected(max(load.values())):,.0f} s |"
    )


def _owners(names: list[str], gateways: Mapping[str, float]) -> dict[str, str]:
    return {name: ranked[0] for name, ranked in place(names, gateways, Wishes()).items()}


def _moved(old: Mapping[str, str], new: Mapping[str, str]) -> float:
    return sum(old[name] != new[name] for name in old) / len(old)


def _connected(accounts: int) -> float:
    """Seconds until so many accounts of one gateway had their turn to connect to one host."""
    return trio.run(_storm, accounts, clock=MockClock(autojump_threshold=0))


async def _storm(accounts: int) -> float:
    gate, begun = HostGate(), trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(accounts):
            nursery.start_soon(gate.wait_turn, "venue", CONNECT_RATE)
    return trio.current_time() - begun


if __name__ == "__main__":
    main()
