"""Gateways that share the accounts: death, planned moves, a paused process that comes back."""

import signal
from pathlib import Path

import pytest
import trio

from tests.scenarios.cluster import open_cluster_rig
from tests.scenarios.rig import wait_until

FAIL_OVER_SECONDS = 10.0


@pytest.mark.timeout(300)
async def test_a_death_is_taken_over(tmp_path: Path):
    """After `kill -9` others take over within 10 s, declare the gap, and nothing is missing."""
    async with open_cluster_rig(tmp_path) as cluster:
        for daemon in cluster.daemons.values():
            await daemon.start()
        await cluster.wait_spread(3)
        cluster.set_rate(8)
        await trio.sleep(2)
        victim = "gateway-2"
        lost = cluster.owned_by(victim)

        await cluster.daemons[victim].kill()
        killed_at = trio.current_time()
        await wait_until(lambda: not cluster.owned_by(victim), 30, f"taken: {cluster.tail()}")
        print("taken after", trio.current_time() - killed_at)
        await cluster.wait_live()
        print("live after", trio.current_time() - killed_at)
        await trio.sleep(2)
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()
        for account in lost:
            reasons = [one["reason"] for one in await cluster.streams(account)]
            assert "gateway_down" in reasons
