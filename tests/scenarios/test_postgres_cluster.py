"""Gateways that share the accounts on PostgreSQL: death, moves, a paused process, a restart."""

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.doubles.servers.postgres import PostgresServer, running_postgres
from tests.scenarios.cluster import Cluster, open_cluster_rig
from tests.scenarios.cluster_death import survive_a_death
from tests.scenarios.cluster_moves import move_by_command
from tests.scenarios.postgres_cluster import meet_in_postgres
from tests.scenarios.rig import wait_until

FIRST, VICTIM, LAST = "gateway-1", "gateway-2", "gateway-3"

pytestmark = [pytest.mark.scenarios, pytest.mark.timeout(300)]


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """One that is up."""
    with running_postgres() as up:
        yield up


@asynccontextmanager
async def lively(
    directory: Path, server: PostgresServer, *standbys: PostgresServer
) -> AsyncIterator[Cluster]:
    """A cluster of which every gateway has accounts, with lively markets."""
    meeting = meet_in_postgres(server, *standbys)
    async with open_cluster_rig(directory, meeting=meeting) as cluster:
        await cluster.start()
        cluster.set_rate(8)
        await trio.sleep(2)
        yield cluster


async def test_a_death_is_taken_over_on_postgres(tmp_path: Path, server: PostgresServer):
    """After `kill -9` others are live within 10 s, declare the gap, and nothing is missing."""
    async with lively(tmp_path, server) as cluster:
        await survive_a_death(cluster, VICTIM)


async def test_an_operators_moves_open_no_gap_on_postgres(tmp_path: Path, server: PostgresServer):
    """An account is moved, a gateway drained and undrained: all is handed over and back."""
    async with lively(tmp_path, server) as cluster:
        assert "on postgres" in await cluster.operate("status")
        await move_by_command(cluster, VICTIM, LAST)


async def test_a_paused_owner_is_fenced_on_postgres(tmp_path: Path, server: PostgresServer):
    """A process that was paused past its lease comes back, and its backlog breaks no promise."""
    async with lively(tmp_path, server) as cluster:
        paused, other = cluster.daemons[VICTIM], cluster.daemons[FIRST]
        lost = cluster.owned_by(VICTIM)

        paused.signal(signal.SIGSTOP)
        await wait_until(lambda: not cluster.owned_by(VICTIM, asked=other), 30)
        await trio.sleep(3)
        paused.signal(signal.SIGCONT)
        await cluster.wait_spread()
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()
        assert "cluster_lease_lapsed" in paused.log.read_text()
        for account in lost:
            assert "gateway_down" in [one["reason"] for one in await cluster.streams(account)]


async def test_a_restart_of_postgres_moves_nothing(tmp_path: Path, server: PostgresServer):
    """While PostgreSQL is down every gateway journals what it has, and tells it afterwards."""
    async with lively(tmp_path, server) as cluster:
        owners = {name: cluster.owned_by(name) for name in cluster.daemons}

        server.kill()
        await cluster.wait(lambda: not cluster.status()["reachable"], 30, "noticed")
        await trio.sleep(6)  # longer than a lease, so that all of them lapse
        await server.start()
        await cluster.wait(lambda: cluster.status()["reachable"], 30, "reached again")
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()
        assert owners == {name: cluster.owned_by(name) for name in cluster.daemons}
        assert [] == await cluster.gaps()


async def test_a_synchronous_standby_takes_over_and_nothing_moves(
    tmp_path: Path, server: PostgresServer
):
    """The primary is killed and its standby promoted: nothing is missing, and no gap opens."""
    with server.standby() as standby:
        await standby.start()
        await server.wait_replicated()
        server.wait_for_standbys()
        async with lively(tmp_path, server, standby) as cluster:
            owners = {name: cluster.owned_by(name) for name in cluster.daemons}

            server.kill()
            await cluster.wait(lambda: not cluster.status()["reachable"], 30, "noticed")
            standby.promote()
            await cluster.wait(lambda: cluster.status()["reachable"], 30, "reached again")
            await trio.sleep(2)
            await cluster.wait_quiet()

            (await cluster.judge()).assert_kept()
            assert owners == {name: cluster.owned_by(name) for name in cluster.daemons}
            assert [] == await cluster.gaps()
