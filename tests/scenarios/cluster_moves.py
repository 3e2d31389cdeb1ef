"""An operator moves accounts of a cluster: what has to follow, whatever the engine."""

from tests.scenarios.cluster import Cluster


async def move_by_command(cluster: Cluster, origin: str, target: str) -> None:
    """Move an account, drain a gateway, undo both: all is handed over and back without a gap."""
    [account, *_] = cluster.owned_by(origin)
    await cluster.operate("move", account, target)
    await cluster.wait(lambda: account in cluster.owned_by(target), 60, "moved")
    await cluster.operate("drain", origin)
    await cluster.wait(lambda: not cluster.owned_by(origin), 60, "drained")
    await cluster.wait_live()
    await cluster.operate("unpin", account)
    await cluster.operate("undrain", origin)
    await cluster.wait_spread()
    await cluster.wait_quiet()

    (await cluster.judge()).assert_kept()
    assert [] == await cluster.gaps()
