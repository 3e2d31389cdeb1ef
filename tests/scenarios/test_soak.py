"""Row 27: hundreds of events a second while sinks flap, venues cut and files are reloaded."""

import random
from collections import Counter
from pathlib import Path

import pytest
import trio

from tests.doubles.receiver import Reply
from tests.scenarios.outside import MIB, memory_bytes, open_files, reload
from tests.scenarios.receivers import Desk, content, open_desk
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import Rig, open_rig, wait_until

FORMS = [
    pytest.param(Form.SHORT, 8, 1.5, id="short"),
    pytest.param(
        Form.CI, 120, 10, id="ci", marks=[pytest.mark.scenarios, pytest.mark.timeout(1500)]
    ),
    pytest.param(Form.SOAK, 3600, 60, id="soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]
RATE = 45.0
"""Per second and account; a move makes three or four events, so 600 a second in all."""
WARM_SHARE = 0.25
"""Of the run; what is kept in memory on purpose has filled up by then."""


@pytest.mark.parametrize(("form", "seconds", "between"), FORMS)
async def test_soak(tmp_path: Path, results: Results, form: Form, seconds: float, between: float):
    """Nothing is lost, and when all is quiet again nothing is held that was not held before."""
    rng = random.Random(seconds)
    struck: Counter[str] = Counter()
    async with open_desk() as desk, open_rig(tmp_path) as rig:
        rig.sinks["desk"] = desk.sink(timeout="2s")
        rig.write_config()
        await rig.daemon.start()
        await rig.wait_live()
        await wait_until(lambda: desk.ids != [], 30, "a first event")
        files_before = open_files(rig.daemon.pid)
        rig.set_rate(RATE)
        await trio.sleep(seconds * WARM_SHARE)
        memory_before = memory_bytes(rig.daemon.pid)
        end = trio.current_time() + seconds
        while trio.current_time() < end:
            struck[await strike(rng, rig, desk)] += 1
            await trio.sleep(rng.uniform(0.5, 1.5) * between)
        desk.mood = content
        await rig.wait_quiet(120)

        assert [event["id"] for event in rig.delivered()] == desk.first_ids()
        verdict = await trio.to_thread.run_sync(rig.judge)
        verdict.assert_kept()
        grown = (memory_bytes(rig.daemon.pid) - memory_before) / MIB
        assert grown <= 50
        await wait_until(
            lambda: open_files(rig.daemon.pid) <= files_before, 30, f"{files_before} open files"
        )
        reconnects = sum(a["reconnects"] for a in rig.daemon.status()["accounts"].values())
        assert (reconnects > 0) == (struck["cut"] > 0)
        results.note(
            27, "soak", form, seconds=seconds, events=verdict.events, missing=0,
            events_per_second=round(verdict.events / (seconds * (1 + WARM_SHARE))),
            **{f"times_{name}": count for name, count in struck.items()},
            reconnects=reconnects, repeats_at_the_desk=len(desk.ids) - len(desk.first_ids()),
            MiB_more_memory=round(grown, 1), open_files=files_before,
        )  # fmt: skip


async def strike(rng: random.Random, rig: Rig, desk: Desk) -> str:
    """One of the things that happen in the life of a gateway; its name."""
    name = rng.choice(("cut", "sink_down", "sink_up", "reload"))
    match name:
        case "cut":
            rng.choice(list(rig.venues.values())).cut(rng.randrange(2))
        case "sink_down":
            desk.mood = lambda _: Reply(503)
        case "sink_up":
            desk.mood = content
        case _:
            batch = rng.choice((50, 100, 500))
            rig.sinks["desk"] = desk.sink(timeout="2s", batch=f"{{events: {batch}}}")
            rig.write_config()
            await reload(rig)
    return name
