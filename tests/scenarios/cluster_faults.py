"""What may befall a cluster in a private network: one function each, over when it returns.

A fault strikes one gateway and its NATS server of the same number; it takes at least
`lasting` seconds, and leaves everybody running and every path open.
"""

import signal
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import trio

from tests.doubles.servers.nats import NODES
from tests.scenarios.cluster import ENDS, GATEWAYS, VENUES_END, Cluster
from tests.scenarios.private_network import PrivateNetwork

SLOW_BITS_PER_SECOND: Final = 200_000
"""A line as of the nineties, for a gateway that would use some times as much at a hand-over."""

Fault = Callable[[Cluster, int, float], Awaitable[None]]
"""Strikes the gateway, or the NATS server, of that number."""


async def kill_gateway(cluster: Cluster, number: int, lasting: float) -> None:
    """SIGKILL, and a start after a while."""
    daemon = cluster.daemons[GATEWAYS[number]]
    await daemon.kill()
    await trio.sleep(lasting)
    await daemon.start()


async def kill_all_gateways(cluster: Cluster, number: int, lasting: float) -> None:
    """SIGKILL for every gateway at once, and a start of all of them."""
    for daemon in cluster.daemons.values():
        daemon.signal(signal.SIGKILL)
    for daemon in cluster.daemons.values():
        await daemon.wait_ended()
    await trio.sleep(lasting)
    for daemon in cluster.daemons.values():
        daemon.launch()
    for daemon in cluster.daemons.values():
        await daemon.wait_ready()


async def restart_gateway(cluster: Cluster, number: int, lasting: float) -> None:
    """An orderly stop, as for an upgrade, and a start after a while."""
    daemon = cluster.daemons[GATEWAYS[number]]
    assert await daemon.stop() == 0
    await trio.sleep(lasting)
    await daemon.start()


async def pause_gateway(cluster: Cluster, number: int, lasting: float) -> None:
    """SIGSTOP, and SIGCONT after a while."""
    daemon = cluster.daemons[GATEWAYS[number]]
    daemon.signal(signal.SIGSTOP)
    await trio.sleep(lasting)
    daemon.signal(signal.SIGCONT)


async def kill_nats(cluster: Cluster, number: int, lasting: float) -> None:
    """SIGKILL for a NATS server, and a start after a while."""
    server = cluster.servers[number]
    server.kill()
    await trio.sleep(lasting)
    await server.start()


async def cut_from_nats(cluster: Cluster, number: int, lasting: float) -> None:
    """A gateway reaches its venues, and nobody of its cluster."""
    await _cut(cluster, [GATEWAYS[number]], NODES, lasting)


async def cut_from_venues(cluster: Cluster, number: int, lasting: float) -> None:
    """A gateway reaches its cluster, and no venue."""
    await _cut(cluster, [GATEWAYS[number]], [VENUES_END], lasting)


async def isolate_gateway(cluster: Cluster, number: int, lasting: float) -> None:
    """A gateway reaches nobody."""
    await _cut(cluster, [GATEWAYS[number]], ENDS, lasting)


async def isolate_nats(cluster: Cluster, number: int, lasting: float) -> None:
    """A NATS server reaches nobody."""
    await _cut(cluster, [NODES[number]], ENDS, lasting)


async def split_minority(cluster: Cluster, number: int, lasting: float) -> None:
    """A gateway and a NATS server reach each other, and nobody else."""
    minority = [GATEWAYS[number], NODES[number]]
    await _cut(cluster, minority, [one for one in ENDS if one not in minority], lasting)


async def slow_down(cluster: Cluster, number: int, lasting: float) -> None:
    """All that goes to a gateway crawls."""
    _network(cluster).slow_down(GATEWAYS[number], SLOW_BITS_PER_SECOND)
    await trio.sleep(lasting)
    _network(cluster).pass_packets()


FAULTS: Final[tuple[Fault, ...]] = (
    kill_gateway,
    kill_all_gateways,
    restart_gateway,
    pause_gateway,
    kill_nats,
    cut_from_nats,
    cut_from_venues,
    isolate_gateway,
    isolate_nats,
    split_minority,
    slow_down,
)


async def _cut(
    cluster: Cluster, ends: Iterable[str], others: Iterable[str], lasting: float
) -> None:
    _network(cluster).lose_packets(ends, others)
    await trio.sleep(lasting)
    _network(cluster).pass_packets()


def _network(cluster: Cluster) -> PrivateNetwork:
    assert cluster.network is not None
    return cluster.network
