"""Row 1: SIGKILL at random times under load, then a restart."""

import random
from pathlib import Path

import pytest
import trio

from tests.scenarios.rig import open_rig

CYCLES = [
    4,
    pytest.param(100, marks=pytest.mark.scenarios),
    pytest.param(3000, marks=pytest.mark.soak),
]


@pytest.mark.parametrize("cycles", CYCLES)
@pytest.mark.timeout(1500)
async def test_kill_loses_nothing(tmp_path: Path, cycles: int):
    """Killed again and again under load, nothing is missing, invented, doubled or out of order."""
    rng = random.Random(cycles)
    async with open_rig(tmp_path, seed=cycles) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(20)
        for _ in range(cycles):
            await trio.sleep(rng.uniform(0.05, 1.0))
            await rig.daemon.kill()
            await rig.daemon.start()
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        assert rig.daemon.starts == cycles + 1
        for name in rig.accounts:
            reasons = {stream["reason"] for stream in rig.streams(name)}
            assert "gateway_down" in reasons
