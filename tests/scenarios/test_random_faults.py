"""Rows 10 to 19 at once: scripts of random faults, from seeds, in virtual time."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.scenarios.chaos import make_timeline
from tests.scenarios.results import Results
from tests.scenarios.table import RANDOM
from tests.scenarios.virtual import VirtualRig, open_virtual_rig

SEEDS = [
    *range(1, 3),
    *(pytest.param(seed, marks=pytest.mark.scenarios) for seed in range(3, 51)),
    *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(51, 5_001)),
]
ACCOUNTS = 1


@pytest.mark.parametrize("seed", SEEDS)
async def test_random_faults(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, results: Results, seed: int
):
    """Whatever strikes when, nothing is missing, invented or doubled, and each gap is honest."""
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(
            open_virtual_rig(tmp_path, accounts=ACCOUNTS, seed=seed)
        )
        if seed % 3 == 0:
            rig.patches = dict.fromkeys(rig.accounts, "    connections: 2\n")
        await stack.enter_async_context(rig.running())
        await rig.wait_live()
        rig.set_rate(2)
        began = trio.current_time()
        timeline = make_timeline(seed, sorted(rig.venues), ACCOUNTS)
        for strike in timeline:
            await trio.sleep_until(began + strike.at)
            rig.venues[strike.venue].do(strike.step)
        await trio.sleep(30)
        for venue in rig.venues.values():
            venue.heal()
        ended = trio.current_time()
        await rig.wait_live()
        healed = trio.current_time() - ended
        await rig.wait_quiet()

        rig.judge().assert_kept()
        assert any(rig.struck(strike.name) for strike in timeline)
        for name in rig.accounts:
            assert_gaps_settled(rig, name)
        form = "short" if seed < 3 else "CI" if seed <= 50 else "soak"
        for kind in sorted({strike.name for strike in timeline if rig.struck(strike.name)}):
            results.note(
                19, f"{RANDOM}: {kind}", form, seconds_to_heal=round(healed, 1), lost=0, doubled=0
            )


def assert_gaps_settled(rig: VirtualRig, name: str) -> None:
    """Each gap was closed as complete, from where it was last said to begin."""
    since = None
    for stream in rig.streams(name):
        if stream["status"] == "gap_opened":
            since = stream["since"]
        elif stream["status"] == "gap_closed" and stream["complete"]:
            assert stream["since"] == since
            since = None
    assert since is None
