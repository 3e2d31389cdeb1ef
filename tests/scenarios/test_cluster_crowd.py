"""Three hundred accounts on three gateways: what is promised of a few holds for many."""

from pathlib import Path

import pytest

from tests.scenarios.cluster import GATEWAYS, Shape, open_cluster_rig
from tests.scenarios.cluster_death import survive_a_death

ACCOUNTS = 150
"""At each of two venues."""
RATE = 0.2
"""Orders per second and account."""


@pytest.mark.scenarios
@pytest.mark.alone  # ten seconds for a hundred accounts take all of two processors
@pytest.mark.timeout(600)
async def test_three_hundred_accounts_move_without_a_gap_and_survive_a_death(tmp_path: Path):
    """A gateway is drained and one restarted without any gap; after a death all live in time."""
    shape = Shape(accounts=ACCOUNTS, options="    connect_rate: 1000\n")
    async with open_cluster_rig(tmp_path, shape) as cluster:
        await cluster.start()
        cluster.set_rate(RATE)
        await cluster.operate("drain", GATEWAYS[1])
        await cluster.wait(lambda: not cluster.owned_by(GATEWAYS[1]), 90, "drained")
        await cluster.operate("undrain", GATEWAYS[1])
        await cluster.wait_spread()
        restarted = cluster.daemons[GATEWAYS[2]]
        assert await restarted.stop() == 0
        await restarted.start()
        await cluster.wait_spread()
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()
        assert [] == await cluster.gaps()

        cluster.set_rate(RATE)
        await survive_a_death(cluster, GATEWAYS[0])
