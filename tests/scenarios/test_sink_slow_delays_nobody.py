"""Row 7: one sink takes an event a second, another never answers; good ones beside them."""

import math
from pathlib import Path

import pytest
import trio

from tests.doubles.receiver import Reply
from tests.scenarios.receivers import Brief, content, open_desk, percentile
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import open_rig, wait_until

FORMS = [
    pytest.param(Form.SHORT, 2.5, id="short"),
    pytest.param(Form.CI, 60, id="ci", marks=[pytest.mark.scenarios, pytest.mark.timeout(1500)]),
    pytest.param(Form.SOAK, 3600, id="soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]
RATE = 10.0
"""Per second and account: more than a hundred events per second in all."""
PORTION = 2
"""Events per request of the slow sink."""
HUNG = Reply(503, delay_seconds=math.inf)
"""The status is never heard of."""


@pytest.mark.parametrize(("form", "seconds"), FORMS)
async def test_sink_slow_delays_nobody(
    tmp_path: Path, results: Results, form: Form, seconds: float
):
    """A slow sink and a hung one hold up no other, lose nothing, and the hung request is cut."""
    async with (
        open_desk() as good,
        open_desk() as slow,
        open_desk() as hung,
        open_rig(tmp_path) as rig,
    ):
        rig.sinks["good"] = good.sink()
        rig.sinks["slow"] = slow.sink(batch=f"{{events: {PORTION}}}")
        rig.sinks["hung"] = hung.sink(timeout="1s")
        rig.write_config()
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(RATE)
        await trio.sleep(seconds)
        calm = list(good.ages)
        connections = hung.receiver.connections

        slow.mood, hung.mood = event_a_second, (lambda _: HUNG)
        await wait_until(lambda: hung.receiver.connections > connections + 1, 30, "a cut")
        good.ages.clear()
        taken = len(slow.ids)
        await trio.sleep(seconds)
        troubled = list(good.ages)
        sinks = rig.daemon.status()["sinks"]
        cut = hung.receiver.connections - connections
        slowly = len(slow.ids) - taken

        slow.mood = hung.mood = content
        await rig.wait_quiet(60 + 4 * seconds)
        told = [event["id"] for event in rig.delivered()]
        for desk in (good, slow, hung):
            assert told == desk.first_ids()
        verdict = await trio.to_thread.run_sync(rig.judge)
        verdict.assert_kept()

    assert sinks["hung"]["state"] == "retrying"
    assert "no answer within 1 s" in sinks["hung"]["last_error"]
    assert sinks["hung"]["pending"] > 0
    assert sinks["slow"]["pending"] > 0
    assert slowly <= seconds + 2 * PORTION
    assert calm
    assert troubled
    before, during = percentile(calm, 0.99), percentile(troubled, 0.99)
    results.note(
        7, "a slow and a hung sink beside a good one", form, seconds=seconds,
        events=verdict.events, hung_requests_cut=cut, events_taken_by_the_slow=slowly,
        ms_p99_of_the_good_without=round(1000 * before, 1),
        ms_p99_of_the_good_beside_them=round(1000 * during, 1), ratio=round(during / before, 2),
    )  # fmt: skip


def event_a_second(briefs: list[Brief]) -> Reply:
    """Take everything, in its own time."""
    return Reply(delay_seconds=len(briefs))
