"""Row 6: a sink is down while events pile up, and comes back."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio

from tests.doubles.receiver import Reply
from tests.scenarios.load import last_seq, pour
from tests.scenarios.outside import MIB, memory_bytes
from tests.scenarios.receivers import Brief, Desk, open_desk
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import Rig, open_rig, wait_until

FORMS = [
    pytest.param(Form.SHORT, 4_000, id="short"),
    pytest.param(
        Form.CI, 200_000, id="ci", marks=[pytest.mark.scenarios, pytest.mark.timeout(900)]
    ),
    pytest.param(Form.SOAK, 4_000_000, id="soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]
WARM_EVENTS = 70_000
"""Enough that what the journal keeps in memory, sinks or not, is full before memory is
measured: 65,536 ids are held before they are sealed."""
CAP_SECONDS = 1.0
"""`retry.max` of the desk."""
ASKED_SECONDS = 1
"""What the desk writes into `Retry-After`."""
LIVE_RATE = 10.0
"""Per second and account while the backlog drains."""


@pytest.mark.parametrize(("form", "events"), FORMS)
async def test_sink_down_loses_nothing(tmp_path: Path, results: Results, form: Form, events: int):
    """A sink that was down gets all of it in order, in no more memory, and others never wait."""
    async with open_desk() as desk, open_rig(tmp_path) as rig:
        rig.sinks["desk"] = desk.sink()
        rig.write_config()
        await rig.daemon.start()
        await rig.wait_live()
        await pour(rig, min(WARM_EVENTS, events))
        await wait_until(lambda: pending(rig, "desk") == 0, 60, "the desk to have everything")
        memory_before = memory_bytes(rig.daemon.pid)

        await desk.receiver.stop()
        backlog = await pour(rig, events)
        await wait_until(lambda: pending(rig, "events") == 0, 60, "the other sink to go on")
        assert pending(rig, "desk") >= events
        waited = [await longest_wait(rig) for _ in range(20)]
        assert all(0 <= each <= CAP_SECONDS for each in waited)
        memory_down = memory_bytes(rig.daemon.pid)

        tries = await come_back(desk)
        rig.set_rate(LIVE_RATE)
        begun, first = trio.current_time(), last_seq(rig)
        memory_drain = 0
        while pending(rig, "desk") > events // 50:
            await trio.sleep(0.1)
            memory_drain = max(memory_drain, memory_bytes(rig.daemon.pid))
        seconds = trio.current_time() - begun
        live = last_seq(rig) - first
        await rig.wait_quiet(300)

        assert [event["id"] for event in rig.delivered()] == desk.first_ids()
        verdict = await trio.to_thread.run_sync(rig.judge)
        verdict.assert_kept()
        assert verdict.repeats == 0
        assert backlog >= 10 * live  # in the same time
        grown = (max(memory_down, memory_drain) - memory_before) / MIB
        assert grown <= 50
        results.note(
            6, "sink down, then back", form, backlog=backlog, tries_while_told_to_wait=tries,
            drained_per_second=round(backlog / seconds), live_per_second=round(live / seconds),
            MiB_more_memory=round(grown, 1),
        )  # fmt: skip


async def come_back(desk: Desk) -> int:
    """Answer 503 with a `Retry-After` a few times, then be well; how often it was tried."""
    refused: list[float] = []

    def unwell(_: list[Brief]) -> Reply:
        refused.append(trio.current_time())
        return Reply(503, b"closed", (("retry-after", str(ASKED_SECONDS)),))

    desk.mood = unwell
    await desk.receiver.start()
    await wait_until(lambda: len(refused) == 3, 60, "three tries")
    desk.mood = lambda _: Reply()
    pauses = [later - earlier for earlier, later in itertools.pairwise(refused)]
    assert all(pause >= ASKED_SECONDS - 0.05 for pause in pauses), pauses
    return len(refused)


def pending(rig: Rig, sink: str) -> int:
    """How many events wait for a sink."""
    count: int = rig.daemon.status()["sinks"][sink]["pending"]
    return count


async def longest_wait(rig: Rig) -> float:
    """How far ahead the next try of the desk lies at most, seen from the failure before it."""
    await trio.sleep(0.05)
    sink = rig.daemon.status()["sinks"]["desk"]
    if sink["retry_at"] is None:  # it is being tried right now
        return 0.0
    assert sink["state"] == "retrying"
    wait = datetime.fromisoformat(sink["retry_at"]) - datetime.fromisoformat(sink["last_error_at"])
    assert datetime.fromisoformat(sink["last_error_at"]) <= datetime.now(UTC) + timedelta(seconds=1)
    return wait.total_seconds()
