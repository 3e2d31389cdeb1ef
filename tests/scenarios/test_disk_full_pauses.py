"""Row 3: the disk fills up under load, and is freed again."""

from pathlib import Path

import pytest

from tests.scenarios.faulty_disk import eat_space, mounted, needs_mount
from tests.scenarios.oracle import Verdict
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig, wait_until

CYCLES = [
    pytest.param(1, "short"),
    pytest.param(10, "CI", marks=pytest.mark.scenarios),
    pytest.param(50, "soak", marks=pytest.mark.soak),
]
PAGE_CYCLES = 10
"""So many are judged together."""
DISK_MIB = 48
RATE = 8
"""Moves a second and account: as many as a venue's limits let REST tell afterwards."""


@needs_mount
@pytest.mark.parametrize(("cycles", "form"), CYCLES)
@pytest.mark.timeout(3000)
async def test_a_full_disk_pauses_and_resumes(
    tmp_path: Path, results: Results, cycles: int, form: str
):
    """No exit: the sources pause, a gap says why, and all goes on when there is space again."""
    with mounted(tmp_path / "state", DISK_MIB):
        async with open_rig(tmp_path, seed=3) as rig:
            rig.settings["journal"] = "{retain: {size: 8MiB}}"
            rig.write_config()
            await rig.daemon.start()
            await rig.wait_live()
            total = Verdict()
            for begin in range(0, cycles, PAGE_CYCLES):
                page = min(PAGE_CYCLES, cycles - begin)
                for _ in range(page):
                    await fill_and_free(rig)
                await rig.wait_quiet()
                for name in rig.accounts:
                    words = [(each["status"], each["reason"]) for each in rig.streams(name)]
                    assert words.count(("gap_opened", "disk_full")) >= page
                total.add(await rig.turn_page())
            assert rig.daemon.starts == 1
            assert rig.daemon.log.read_text().count('"sources_paused"') == cycles
    results.note(
        3, "disk full under load, then freed", form, fills=cycles, exits=0, facts=total.facts,
        events=total.events, lost=0,
    )  # fmt: skip


async def fill_and_free(rig: Rig) -> None:
    """Under load until it says that it is full; then live again by itself."""
    rig.set_rate(RATE)
    glutton = eat_space(rig.state_dir)
    await wait_until(lambda: not rig.daemon.is_ready(), 60, "not ready on a full disk")
    status = rig.daemon.status()
    assert status["journal"]["blocked_reason"] == "disk_full"
    await wait_until(lambda: no_account_runs(rig), 30, "the sources to pause")
    glutton.unlink()
    await rig.daemon.wait_ready()
    await rig.wait_live(60)


def no_account_runs(rig: Rig) -> bool:
    """True when no account has a connection."""
    accounts = rig.daemon.status()["accounts"].values()
    return not any(account["connections"] for account in accounts)
