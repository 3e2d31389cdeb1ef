"""Row 14: however wrong a frame is, nobody waits long for its turn."""

import random
import time
from pathlib import Path
from typing import Final

import pytest
import trio
import trio.testing

from gateway.simulator import steps
from tests.scenarios.results import Results
from tests.scenarios.virtual import open_virtual_rig

FRAMES = [
    pytest.param(1, 500, "short", id="short"),
    pytest.param(2, 25_000, "CI", marks=pytest.mark.scenarios, id="ci"),
    pytest.param(3, 1_000_000, "soak", marks=[pytest.mark.soak], id="soak"),
]
"""Seed, frames for each venue, form."""
CHUNK = 250
KINDS: Final[tuple[steps.GarbageKind, ...]] = (
    "binary", "cut", "double_key", "exponent", "long_integer", "nan", "not_json", "wrong_type",
)  # fmt: skip
STALL_SECONDS = 0.1


class LongestTurn(trio.abc.Instrument):
    """How long the gateway's tasks kept the loop for themselves.

    By the thread's own processor time: what other processes take is not the gateway's.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.task = ""
        self._began = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002  (as Trio calls it)
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        took = time.thread_time() - self._began
        # The venues live in this loop too; they are no part of the gateway.
        if took > self.seconds and "simulator" not in task.name and "test_" not in task.name:
            self.seconds, self.task = took, task.name


@pytest.mark.parametrize(("seed", "frames", "form"), FRAMES)
@pytest.mark.timeout(600)
async def test_garbage_stalls_nobody(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    seed: int,
    frames: int,
    form: str,
):
    """No frame, nor all that come together, keeps the loop from the others."""
    rng = random.Random(f"garbage {seed}")
    longest = LongestTurn()
    async with open_virtual_rig(tmp_path, seed=seed) as rig, rig.running():
        await rig.wait_live()
        trio.lowlevel.add_instrument(longest)
        for _ in range(frames // CHUNK):
            for kind in rng.choices(KINDS, k=CHUNK - 1):
                rig.do(steps.Garbage(kind=kind))
            rig.do(steps.Garbage(kind="deep"))
            rig.do(steps.Trade())
            await trio.sleep(1)
        trio.lowlevel.remove_instrument(longest)
        await rig.wait_quiet()

        rig.judge().assert_kept()
        assert rig.struck("garbage") == frames * len(rig.accounts)
        assert longest.seconds <= STALL_SECONDS, longest.task
        results.note(
            14, "loop while garbage comes", form, seed=seed, frames=frames * len(rig.accounts),
            longest_turn_ms=round(longest.seconds * 1000, 1), lost=0,
        )  # fmt: skip
