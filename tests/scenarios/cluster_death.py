"""A gateway of a cluster dies: what has to follow, whatever the engine and the network."""

from typing import Final

import trio

from tests.scenarios.cluster import GATEWAYS, Cluster

FAIL_OVER_SECONDS: Final = 10.0
"""Within this every account of a gateway that died is live at another."""


async def survive_a_death(cluster: Cluster, victim: str) -> None:
    """Kill it; others are live in time, and nothing is missing."""
    asked = cluster.daemons[next(name for name in GATEWAYS if name != victim)]
    lost = cluster.owned_by(victim)
    assert lost

    await cluster.daemons[victim].kill()
    killed_at = trio.current_time()
    await cluster.wait(
        lambda: not cluster.owned_by(victim, asked=asked), FAIL_OVER_SECONDS, "taken over"
    )
    await cluster.wait_live()
    seconds = trio.current_time() - killed_at
    await trio.sleep(2)
    await cluster.wait_quiet()

    (await cluster.judge()).assert_kept()
    assert FAIL_OVER_SECONDS > seconds, f"{seconds:.1f} s"
    for account in lost:
        assert "gateway_down" in [one["reason"] for one in await cluster.streams(account)]
