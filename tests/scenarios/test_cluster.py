"""Gateways that share the accounts: death, planned moves, a paused process that comes back."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.scenarios.cluster import Cluster, Shape, open_cluster_rig
from tests.scenarios.cluster_death import survive_a_death
from tests.scenarios.cluster_moves import move_by_command
from tests.scenarios.rig import wait_until


@asynccontextmanager
async def lively(directory: Path, shape: Shape | None = None) -> AsyncIterator[Cluster]:
    """A cluster of which every gateway has accounts, with lively markets."""
    async with open_cluster_rig(directory, shape) as cluster:
        await cluster.start()
        cluster.set_rate(8)
        await trio.sleep(2)
        yield cluster


@pytest.mark.timeout(300)
async def test_a_death_is_taken_over(tmp_path: Path):
    """After `kill -9` others are live within 10 s, declare the gap, and nothing is missing."""
    async with lively(tmp_path) as cluster:
        await survive_a_death(cluster, "gateway-2")


@pytest.mark.scenarios
@pytest.mark.timeout(300)
async def test_a_planned_stop_opens_no_gap(tmp_path: Path):
    """Stopped and started again one by one, gateways hand over and take back without a gap."""
    async with lively(tmp_path) as cluster:
        for name, daemon in cluster.daemons.items():
            assert cluster.owned_by(name), f"{name} has nothing to hand over"
            assert await daemon.stop() == 0
            assert "cluster_hand_over_cut" not in daemon.log.read_text()
            await daemon.start()
            await cluster.wait_spread()
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()
        assert [] == await cluster.gaps()


@pytest.mark.scenarios
@pytest.mark.timeout(300)
async def test_an_operators_moves_open_no_gap(tmp_path: Path):
    """An account is moved, a gateway drained and undrained: all is handed over and back."""
    async with lively(tmp_path) as cluster:
        assert "on nats" in await cluster.operate("status")
        await move_by_command(cluster, "gateway-2", "gateway-3")


@pytest.mark.scenarios
@pytest.mark.timeout(300)
async def test_a_paused_owner_is_fenced(tmp_path: Path):
    """A process that was paused past its lease comes back, and its backlog breaks no promise."""
    async with lively(tmp_path) as cluster:
        paused = cluster.daemons["gateway-1"]
        lost = cluster.owned_by("gateway-1")
        others = [one for one in cluster.daemons.values() if one is not paused]

        paused.signal(signal.SIGSTOP)
        await wait_until(
            lambda: not set(lost) & set(cluster.owned_by("gateway-1", asked=others[0])), 30
        )
        await trio.sleep(3)
        paused.signal(signal.SIGCONT)
        await cluster.wait_spread()
        await trio.sleep(2)
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()
        assert "cluster_lease_lapsed" in paused.log.read_text()
        for account in lost:
            streams = await cluster.streams(account)
            assert len({one["epoch"] for one in streams}) > 1
            assert "gateway_down" in [one["reason"] for one in streams]


@pytest.mark.scenarios
@pytest.mark.timeout(300)
async def test_two_replicas_survive_a_death_without_a_gap(tmp_path: Path):
    """With `replicas: 2` a second gateway listens beside each owner: its death opens no gap."""
    async with lively(tmp_path, Shape(replicas=2)) as cluster:
        await trio.sleep(5)

        await cluster.daemons["gateway-2"].kill()
        await wait_until(lambda: not cluster.owned_by("gateway-2"), 30)
        await cluster.wait_live()
        await trio.sleep(2)
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()
        assert [] == await cluster.gaps()


@pytest.mark.scenarios
@pytest.mark.timeout(300)
async def test_without_its_engine_a_cluster_goes_on(tmp_path: Path):
    """While NATS is down every gateway journals what it has, and tells all of it afterwards."""
    async with lively(tmp_path) as cluster:
        [server] = cluster.servers
        server.kill()
        await wait_until(lambda: not cluster.status()["reachable"], 30)
        await trio.sleep(5)
        await server.start()
        await wait_until(lambda: cluster.status()["reachable"], 30)
        await cluster.wait_spread()
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()


@pytest.mark.scenarios
@pytest.mark.timeout(300)
async def test_a_death_in_the_engine_is_not_noticed(tmp_path: Path):
    """Of three NATS servers any one may be killed: nothing is missing, and no gap opens."""
    async with lively(tmp_path, Shape(nats_servers=3)) as cluster:
        for server in cluster.servers:
            server.kill()
            await trio.sleep(8)
            await server.start()
            await trio.sleep(5)
        await cluster.wait_spread()
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()
        assert [] == await cluster.gaps()
