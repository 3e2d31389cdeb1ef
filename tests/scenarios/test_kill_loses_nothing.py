"""Row 1: SIGKILL at random times under load, then a restart."""

import random
import time
from pathlib import Path

import pytest
import trio

from tests.scenarios.oracle import Verdict
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig

CYCLES = [
    pytest.param(4, "short"),
    pytest.param(100, "CI", marks=[pytest.mark.scenarios, pytest.mark.timeout(900)]),
    pytest.param(3000, "soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]

HEALED_EVERY = 10
"""Kills before the gaps may be filled: what REST has to tell grows with each, and
the venues' limits on requests are the real ones."""
PAGE_KILLS = 100
"""So many are judged together."""
RATE = 8


@pytest.mark.parametrize(("cycles", "form"), CYCLES)
async def test_kill_loses_nothing(tmp_path: Path, results: Results, cycles: int, form: str):
    """Killed again and again under load, nothing is missing, invented, doubled or out of order."""
    rng = random.Random(cycles)
    readied: list[float] = []
    total = Verdict()
    async with open_rig(tmp_path, seed=cycles) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        while len(readied) < cycles:
            rig.set_rate(RATE)
            for _ in range(min(PAGE_KILLS, cycles - len(readied))):
                # Some kills hit the first moments, in which gaps are declared and filled.
                await trio.sleep(rng.uniform(0.0, 0.8))
                readied.append(await kill_and_start(rig))
                if len(readied) % HEALED_EVERY == 0:
                    await rig.wait_live(120)
            await rig.wait_quiet(120)
            for name in rig.accounts:
                assert "gateway_down" in {stream["reason"] for stream in rig.streams(name)}
            total.add(await rig.turn_page())
        assert rig.daemon.starts == cycles + 1
    results.note(
        1, "SIGKILL at random times under load", form, kills=cycles, facts=total.facts,
        events=total.events, repeats=total.repeats,
        seconds_to_ready=round(sorted(readied)[cycles // 2], 2),
    )  # fmt: skip


async def kill_and_start(rig: Rig) -> float:
    """How long it took from the start until it journalled again."""
    await rig.daemon.kill()
    begun = time.monotonic()
    await rig.daemon.start()
    return time.monotonic() - begun
