"""A cluster is upgraded gateway by gateway, from a version that is really older."""

import subprocess
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.scenarios.cluster import GATEWAYS, Cluster, open_cluster_rig

OLDER: Final = "00bd3540"
"""A commit of which the notes on the board, the books and the log must be understood, and
which must understand ours. Take the newest release's once there is one."""
ROOT: Final = Path(__file__).parents[2]


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The gateway as it was; skipped where the checkout has no history."""
    folder = tmp_path / "older"
    folder.mkdir()
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT)]
    packed = subprocess.run(
        [*git, "archive", OLDER, "gateway", "adapters"], capture_output=True, check=False
    )
    if packed.returncode:
        pytest.skip(f"the history lacks {OLDER}: {packed.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)
    return folder


@pytest.mark.scenarios
@pytest.mark.timeout(400)
async def test_a_rolling_upgrade_opens_no_gap(tmp_path: Path, older: Path):
    """Old and new hand accounts to each other; one that goes back to the old version, too."""
    async with open_cluster_rig(tmp_path) as cluster:
        for daemon in cluster.daemons.values():
            daemon.environment = {"PYTHONPATH": str(older)}
        await cluster.start()
        cluster.set_rate(8)
        for name in GATEWAYS:
            await change_version(cluster, name, {})
        await change_version(cluster, GATEWAYS[1], {"PYTHONPATH": str(older)})
        await cluster.wait_quiet()

        (await cluster.judge()).assert_kept()
        assert [] == await cluster.gaps()


async def change_version(cluster: Cluster, name: str, environment: dict[str, str]) -> None:
    """Stop one gateway, and start it with other code."""
    await trio.sleep(3)
    daemon = cluster.daemons[name]
    assert await daemon.stop() == 0
    daemon.environment = environment
    await daemon.start()
    await cluster.wait_spread()
