"""Row 27: hundreds of events a second while sinks flap, venues cut and files are reloaded."""

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import linear_regression

import pytest
import trio

from tests.doubles.receiver import Reply
from tests.scenarios.oracle import Verdict
from tests.scenarios.outside import MIB, memory_bytes, metric, open_files, reload
from tests.scenarios.receivers import Desk, content, open_desk
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import Rig, open_rig, wait_until

FORMS = [
    # The runner's limits lie beyond the test's own, which say what is missing.
    pytest.param(Form.SHORT, 8, 1.5, id="short", marks=pytest.mark.timeout(900)),
    pytest.param(
        Form.CI, 120, 10, id="ci", marks=[pytest.mark.scenarios, pytest.mark.timeout(900)]
    ),
    pytest.param(Form.SOAK, 3600, 60, id="soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]
ACCOUNTS = 4
"""At each venue: LBank's limit on requests is one account's, and a gap has to be read in time."""
RATE = 24.0
"""Moves a second and account; one makes three events or so, so 600 a second in all."""
WARM_SHARE = 0.25
"""Of the run, before it: what is kept in memory on purpose has filled up by then."""
PAGE_SECONDS = 120.0
"""After so long the load rests for a moment, and what it did is judged and forgotten."""
GROWTH_MIB = 50
"""What is kept in memory on purpose and fills up yet: the journal's caches and newest records,
and the ended orders that the books remember."""
SLOPE_PAGES = 10
"""From so many pages on a slope tells more of a leak than of the moment."""
REST_SECONDS = 300
"""For the gaps of a busy account to be read within the venues' limits."""


class Soak:
    """The load, and what was seen at each rest."""

    def __init__(self, seed: float, rig: Rig, desk: Desk) -> None:
        self.rig = rig
        self.desk = desk
        self.struck: Counter[str] = Counter()
        self.seconds = 0.0
        """Under load so far."""
        self.memory: list[tuple[float, float]] = []
        """Hours under load, and MiB of the daemon at rest after them."""
        self.told = Verdict()
        self.repeats = 0
        self._rng = random.Random(seed)

    async def run(self, seconds: float, between: float) -> None:
        """One load after the other, at most a page long each."""
        end = self.seconds + seconds
        while self.seconds < end:
            await self._load(min(PAGE_SECONDS, end - self.seconds), between)
            await self._rest()

    def growth(self) -> float:
        """MiB more than at the first rest."""
        return self.memory[-1][1] - self.memory[0][1]

    def slope(self) -> float:
        """MiB an hour."""
        return float(linear_regression(*zip(*self.memory, strict=True)).slope)

    async def _load(self, seconds: float, between: float) -> None:
        began = trio.current_time()
        self.rig.set_rate(RATE)
        while (left := began + seconds - trio.current_time()) > 0:
            await trio.sleep(min(left, self._rng.uniform(0.5, 1.5) * between))
            self.struck[await self._strike()] += 1
        self.seconds += trio.current_time() - began

    async def _rest(self) -> None:
        """All is quiet: both sinks hold the same, and it is the truth."""
        self.desk.mood = content
        await self.rig.wait_quiet(REST_SECONDS)
        first_ids = self.desk.first_ids()
        assert [event["id"] for event in self.rig.delivered()] == first_ids
        self.repeats += len(self.desk.ids) - len(first_ids)
        self.told.add(await self.rig.turn_page(REST_SECONDS))
        self.desk.forget()
        self.memory.append((self.seconds / 3600, memory_bytes(self.rig.daemon.pid) / MIB))

    async def _strike(self) -> str:
        """One of the things that happen in the life of a gateway; its name."""
        name = self._rng.choice(("cut", "sink_down", "sink_up", "reload"))
        match name:
            case "cut":
                self._rng.choice(list(self.rig.venues.values())).cut(self._rng.randrange(ACCOUNTS))
            case "sink_down":
                self.desk.mood = lambda _: Reply(503)
            case "sink_up":
                self.desk.mood = content
            case _:
                batch = self._rng.choice((50, 100, 500))
                self.rig.sinks["desk"] = self.desk.sink(timeout="2s", batch=f"{{events: {batch}}}")
                self.rig.write_config()
                await reload(self.rig)
        return name


@pytest.mark.parametrize(("form", "seconds", "between"), FORMS)
async def test_soak(tmp_path: Path, results: Results, form: Form, seconds: float, between: float):
    """Nothing is lost, and when all is quiet again nothing is held that was not held before."""
    async with open_desk() as desk, open_rig(tmp_path, accounts=ACCOUNTS) as rig:
        rig.sinks["desk"] = desk.sink(timeout="2s")
        rig.write_config()
        await rig.daemon.start()
        await rig.wait_live()
        await wait_until(lambda: desk.ids != [], 30, "a first event")
        await rig.wait_quiet()
        files, tasks = open_files(rig.daemon.pid), metric(rig, "gateway_tasks")
        soak = Soak(seconds, rig, desk)
        await soak.run(seconds * WARM_SHARE, between)
        del soak.memory[:-1]
        await soak.run(seconds, between)

        assert soak.growth() <= GROWTH_MIB
        if len(soak.memory) > SLOPE_PAGES:
            assert soak.slope() <= 1
        await wait_back(lambda: open_files(rig.daemon.pid), files, "open files")
        await wait_back(lambda: metric(rig, "gateway_tasks"), tasks, "tasks")
        reconnects = sum(a["reconnects"] for a in rig.daemon.status()["accounts"].values())
        assert (reconnects > 0) == (soak.struck["cut"] > 0)
        results.note(
            27, "soak", form, seconds=round(soak.seconds), events=soak.told.events, missing=0,
            events_per_second=round(soak.told.events / soak.seconds),
            **{f"times_{name}": count for name, count in soak.struck.items()},
            reconnects=reconnects, repeats_at_the_desk=soak.repeats,
            MiB_more_memory=round(soak.growth(), 1), open_files=files, tasks=round(tasks),
        )  # fmt: skip


async def wait_back(count: Callable[[], float], before: float, what: str) -> None:
    """Wait until no more is held than before the load."""
    await wait_until(lambda: count() <= before, 30, lambda: f"{count()} {what} from {before}")
