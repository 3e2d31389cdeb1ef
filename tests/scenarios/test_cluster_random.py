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
CHECKS = "defaults: {lbank: {recovery: {every: 1m}}, fmex: {recovery: {every: 1m}}}\n"
"""What a push cannot tell (a balance back to what it was within one millisecond of the venue)
the next comparison with REST tells. Not more often: a host takes 200 questions in ten seconds,
and who comes back from a gap asks some too."""
QUIET_SECONDS = 90.0
"""A comparison, and time for what it finds."""
RATE = 0.2
"""Orders per second and account."""

SCRIPTS = [
    pytest.param(
        range(first, first + 10),
        id=f"{first}-{first + 9}",
        marks=pytest.mark.scenarios if first == 1 else pytest.mark.soak,
    )
    for first in range(1, 501, 10)
]
"""Ten scripts share a cluster, which takes longer to come up than a script runs."""


@needs_private_network
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", SCRIPTS)
async def test_random_faults_of_a_cluster(tmp_path: Path, seeds: Sequence[int]):
    """Whatever strikes whom, nothing is missing, invented or doubled, and each gap is honest."""
    rate = "    connect_rate: 1000\n"
    shape = Shape(accounts=ACCOUNTS, seed=seeds[0], options=rate, more=CHECKS)
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
    await cluster.turn_page(QUIET_SECONDS)
