"""Gateways of a cluster whose clocks differ: leases go by the engine's, gaps by what is safe."""

from pathlib import Path

import pytest
import trio

from tests.scenarios.cluster import GATEWAYS, open_cluster_rig
from tests.scenarios.cluster_death import survive_a_death
from tests.scenarios.faketime import environment_of, needs_faketime, turn

WRONG = GATEWAYS[1]


@pytest.mark.scenarios
@needs_faketime
@pytest.mark.parametrize("offset_seconds", [45, -45])
@pytest.mark.timeout(300)
async def test_a_gateway_whose_clock_is_wrong_dies(tmp_path: Path, offset_seconds: int):
    """The others say that clocks differ, take over in time, and miss nothing."""
    dial = tmp_path / "dial"
    turn(dial, offset_seconds)
    async with open_cluster_rig(tmp_path) as cluster:
        cluster.daemons[WRONG].environment = environment_of(dial)
        await cluster.start()
        cluster.set_rate(8)
        await trio.sleep(3)
        others = [one for name, one in cluster.daemons.items() if name != WRONG]
        assert all("cluster_clocks_differ" in one.log.read_text() for one in others)

        await survive_a_death(cluster, WRONG)
