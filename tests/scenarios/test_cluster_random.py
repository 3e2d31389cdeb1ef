"""Three hundred accounts on three gateways, and scripts of random faults, from seeds."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from tests.scenarios.cluster import ENDS, GATEWAYS, Cluster, Shape, open_cluster_rig
from tests.scenarios.cluster_faults import FAULTS
from tests.scenarios.private_network import needs_private_network, open_private_network

ACCOUNTS = 150
"""At each of two venues."""
RATE = 0.2
"""Orders per second and account."""

SCRIPTS = [
    pytest.param(
        range(first, first + 10),
        id=f"{first}-{first + 9}",
        marks=pytest.mark.pending if first == 1 else pytest.mark.soak,
    )
    for first in range(1, 501, 10)
]
"""Ten scripts share a cluster, which takes longer to come up than a script runs."""


@needs_private_network
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", SCRIPTS)
async def test_random_faults_of_a_cluster(tmp_path: Path, seeds: Sequence[int]):
    """Whatever strikes whom, nothing is missing, invented or doubled, and each gap is honest."""
    shape = Shape(accounts=ACCOUNTS, seed=seeds[0], options="    connect_rate: 1000\n")
    with open_private_network(ENDS) as network:
        async with open_cluster_rig(tmp_path, shape, network) as cluster:
            await cluster.start()
            for seed in seeds:
                await play(cluster, seed)


async def play(cluster: Cluster, seed: int) -> None:
    """One script: two faults, one after the other, before anybody has recovered."""
    rng = random.Random(f"cluster {seed}")
    cluster.set_rate(RATE)
    for _ in range(2):
        await trio.sleep(rng.uniform(0, 2))
        fault, number = rng.choice(FAULTS), rng.randrange(len(GATEWAYS))
        await fault(cluster, number, rng.uniform(1, 6))
    await cluster.turn_page()
