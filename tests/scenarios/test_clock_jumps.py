"""Row 16: the wall clock jumps while the gateway runs."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.scenarios.faketime import environment_of, needs_faketime, turn
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig, wait_until

HOUR = 3600
DECADE = 10 * 365 * 24 * HOUR
OFFSETS = (HOUR, -HOUR, DECADE, 0)
"""Each against the true time."""
ROUNDS = [
    pytest.param(1, "short"),
    pytest.param(4, "CI", marks=pytest.mark.scenarios),
    pytest.param(16, "soak", marks=pytest.mark.soak),
]


@needs_faketime
@pytest.mark.parametrize(("rounds", "form"), ROUNDS)
@pytest.mark.timeout(900)
async def test_a_jumping_clock_changes_stamps_only(
    tmp_path: Path, results: Results, rounds: int, form: str
):
    """Order, timers, retention and signatures do not depend on the machine's wall clock."""
    dial = tmp_path / "dial"
    turn(dial, 0)
    async with open_rig(tmp_path, seed=16) as rig:
        rig.settings["journal"] = "{retain: {age: 1h}}"
        rig.write_config()
        rig.daemon.environment = environment_of(dial)
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(10)
        reconnects = all_reconnects(rig)
        for _ in range(rounds):
            for offset in OFFSETS:
                before = offsets(rig).count(offset)
                turn(dial, offset)
                # Not any twenty: those of before may still be on their way to the sink.
                await wait_until(
                    lambda n=before, at=offset: offsets(rig).count(at) > n + 20, 60, "fresh events"
                )
        assert set(offsets(rig)) >= {0, HOUR, -HOUR, DECADE}
        assert reconnects == all_reconnects(rig)
        await rig.wait_quiet(120)

        verdict = rig.judge()
        verdict.assert_kept()
        jumps = rounds * len(OFFSETS)
    results.note(
        16, "wall clock jumps by 1 h and 10 years", form, jumps=jumps, reconnects=0,
        facts=verdict.facts, events=verdict.events, lost=len(verdict.missing),
    )  # fmt: skip


def all_reconnects(rig: Rig) -> int:
    """How often any account had to reconnect."""
    return sum(each["reconnects"] for each in rig.daemon.status()["accounts"].values())


def offsets(rig: Rig) -> list[int]:
    """By how much the stamps of events are off the venues' own time, to the hour."""
    return [
        round(hours(event["received_time"]) - hours(event["venue_time"])) * HOUR
        for event in rig.delivered()
        if event["venue_time"] is not None
    ]


def hours(stamp: str) -> float:
    """A stamp as hours since 1970."""
    return datetime.fromisoformat(stamp).timestamp() / HOUR
