"""Gateways, NATS servers and venues with addresses of their own: every fault by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.scenarios import cluster_faults as faults
from tests.scenarios.cluster import ENDS, GATEWAYS, Cluster, open_cluster_rig
from tests.scenarios.cluster_death import survive_a_death
from tests.scenarios.cluster_faults import Fault
from tests.scenarios.private_network import needs_private_network, open_private_network

pytestmark = [pytest.mark.scenarios, needs_private_network, pytest.mark.timeout(300)]

UNHEARD_SECONDS = 16.0
"""Whoever cannot be heard for so long has been succeeded, even where NATS elects first."""
AWAY_SECONDS = 6.0
"""Longer than a lease."""
SILENT_SECONDS = 40.0
"""Longer than a venue may be silent before that is noticed."""


@asynccontextmanager
async def lively(directory: Path) -> AsyncIterator[Cluster]:
    """A cluster in a private network, of which every gateway has accounts."""
    with open_private_network(ENDS) as network:
        async with open_cluster_rig(directory, network=network) as cluster:
            await cluster.start()
            cluster.set_rate(6)
            await trio.sleep(1)
            yield cluster


async def strike(cluster: Cluster, fault: Fault, number: int, seconds: float) -> list[str]:
    """Let a fault strike lively markets, and judge; the gaps that the log tells of."""
    cluster.set_rate(6)
    await fault(cluster, number, seconds)
    await cluster.wait_spread()
    await trio.sleep(1)
    await cluster.wait_quiet()
    gaps = await cluster.gaps()
    verdict = await cluster.turn_page()
    assert verdict.facts > 0
    return gaps


@pytest.mark.parametrize(
    "fault",
    [faults.pause_gateway, faults.cut_from_nats, faults.isolate_gateway, faults.split_minority],
)
async def test_who_cannot_be_heard_is_succeeded(tmp_path: Path, fault: Fault):
    """Others take over, nothing is missing or told twice, and the former owner comes back."""
    async with lively(tmp_path) as cluster:
        before = cluster.status()["accounts"]
        owned = cluster.owned_by(GATEWAYS[0])

        await strike(cluster, fault, 0, UNHEARD_SECONDS)

        after = cluster.status()["accounts"]
        assert owned
        assert all(after[account]["epoch"] > before[account]["epoch"] for account in owned)


@pytest.mark.parametrize("number", range(len(GATEWAYS)))
async def test_a_restart_opens_no_gap(tmp_path: Path, number: int):
    """A gateway that is stopped, as for an upgrade, and started again hands over without a gap."""
    async with lively(tmp_path) as cluster:
        assert [] == await strike(cluster, faults.restart_gateway, number, AWAY_SECONDS)


async def test_trouble_of_the_engine_opens_no_gap(tmp_path: Path):
    """A NATS server is killed, another cut off, and a gateway's line crawls: nobody notices."""
    async with lively(tmp_path) as cluster:
        for number, fault in enumerate((faults.slow_down, faults.kill_nats, faults.isolate_nats)):
            assert [] == await strike(cluster, fault, number, AWAY_SECONDS), fault.__name__


async def test_all_gateways_at_once(tmp_path: Path):
    """All are killed and started: each declares its gaps, and goes on with what it had."""
    async with lively(tmp_path) as cluster:
        assert [] != await strike(cluster, faults.kill_all_gateways, 0, AWAY_SECONDS)


async def test_venues_that_one_gateway_cannot_reach(tmp_path: Path):
    """Its accounts stay where they are, with gaps that are declared, and read afterwards."""
    async with lively(tmp_path) as cluster:
        owned = cluster.owned_by(GATEWAYS[0])

        gaps = await strike(cluster, faults.cut_from_venues, 0, SILENT_SECONDS)

        assert [] != gaps
        assert owned == cluster.owned_by(GATEWAYS[0])


async def test_a_death_is_taken_over_within_ten_seconds(tmp_path: Path):
    """After `kill -9` others are live for all of its accounts within 10 s."""
    async with lively(tmp_path) as cluster:
        await survive_a_death(cluster, GATEWAYS[0])
