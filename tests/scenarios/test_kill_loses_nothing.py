"""Row 1: SIGKILL at random times under load, then a restart."""

import random
import time
from pathlib import Path

import pytest
import trio

from tests.scenarios.results import Results
from tests.scenarios.rig import open_rig

CYCLES = [
    pytest.param(4, "short"),
    pytest.param(100, "CI", marks=pytest.mark.pending),
    pytest.param(3000, "soak", marks=pytest.mark.soak),
]

HEALED_EVERY = 10
"""Kills before the gaps may be filled: what REST has to tell grows with each, and
the venues' limits on requests are the real ones."""


@pytest.mark.parametrize(("cycles", "form"), CYCLES)
@pytest.mark.timeout(1500)
async def test_kill_loses_nothing(tmp_path: Path, results: Results, cycles: int, form: str):
    """Killed again and again under load, nothing is missing, invented, doubled or out of order."""
    rng = random.Random(cycles)
    readied = []
    async with open_rig(tmp_path, seed=cycles) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(8)
        for cycle in range(1, cycles + 1):
            # Some kills hit the first moments, in which gaps are declared and filled.
            await trio.sleep(rng.uniform(0.0, 0.8))
            await rig.daemon.kill()
            begun = time.monotonic()
            await rig.daemon.start()
            readied.append(time.monotonic() - begun)
            if cycle % HEALED_EVERY == 0:
                await rig.wait_live(120)
        await rig.wait_quiet(120)

        verdict = rig.judge()
        verdict.assert_kept()
        assert rig.daemon.starts == cycles + 1
        for name in rig.accounts:
            reasons = {stream["reason"] for stream in rig.streams(name)}
            assert "gateway_down" in reasons
    results.note(
        1, "SIGKILL at random times under load", form, kills=cycles, facts=verdict.facts,
        events=verdict.events, repeats=verdict.repeats,
        seconds_to_ready=round(sorted(readied)[cycles // 2], 2),
    )  # fmt: skip
