"""Three hundred accounts on three gateways: what is promised of a few holds for many."""

import sys
from pathlib import Path

import pytest
import trio

from tests.scenarios.cluster import GATEWAYS, Cluster, Shape, open_cluster_rig
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
        await operate(cluster, "drain", GATEWAYS[1])
        await cluster.wait(lambda: not cluster.owned_by(GATEWAYS[1]), 90, "drained")
        await operate(cluster, "undrain", GATEWAYS[1])
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


async def operate(cluster: Cluster, *command: str) -> None:
    """An operator's command, given at the first gateway."""
    config = str(cluster.daemons[GATEWAYS[0]].config)
    program = [sys.executable, "-m", "gateway", "cluster", *command, "-c", config]
    done = await trio.run_process(program, capture_stderr=True, check=False)
    assert done.returncode == 0, (done.stderr or b"").decode()
