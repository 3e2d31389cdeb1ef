"""Row 9: a sink takes what it is sent, and its answer is lost."""

from collections import Counter
from pathlib import Path

import pytest

from tests.doubles.receiver import Reply
from tests.scenarios.load import pour
from tests.scenarios.receivers import Brief, open_desk
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import Rig, open_rig, wait_until

FORMS = [
    pytest.param(Form.SHORT, 20, id="short"),
    pytest.param(Form.CI, 1_000, id="ci", marks=[pytest.mark.scenarios, pytest.mark.timeout(1500)]),
    pytest.param(Form.SOAK, 10_000, id="soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]
BATCH = 20


@pytest.mark.parametrize(("form", "times"), FORMS)
async def test_sink_lost_answer_repeats_ids(
    tmp_path: Path, results: Results, form: Form, times: int
):
    """What was taken without an answer comes again with the same ids, and nothing else does."""
    async with open_desk() as desk, open_rig(tmp_path) as rig:
        lost: list[list[str]] = []

        def forget_to_answer(briefs: list[Brief]) -> Reply:
            """Take every other request, then hang up."""
            ids = [brief.id for brief in briefs]
            if len(lost) < times and (not lost or lost[-1][-1] != ids[-1]):
                lost.append(ids)
                return Reply(cut=True)
            return Reply()

        desk.mood = forget_to_answer
        rig.sinks["desk"] = desk.sink(batch=f"{{events: {BATCH}}}")
        rig.write_config()
        await rig.daemon.start()
        await rig.wait_live()
        while len(lost) < times:
            await pour(rig, BATCH * (times - len(lost)))
            await wait_until(lambda: idle(rig) or len(lost) == times, 600, "the desk's hang-ups")
        await rig.wait_quiet(600)

        verdict = rig.judge()
        verdict.assert_kept()
        told = [event["id"] for event in rig.delivered()]
        assert told == desk.first_ids()
        repeats = Counter(desk.ids) - Counter(told)
        assert repeats == Counter(one for ids in lost for one in ids)
        messages = Counter(desk.message_ids)
        assert list(messages.values()).count(2) == len(lost) == times
        assert max(messages.values()) == 2
        results.note(
            9, "answer lost after the sink took it", form, answers_lost=times,
            events_come_again=repeats.total(), missing=0,
        )  # fmt: skip


def idle(rig: Rig) -> bool:
    """Whether the desk has everything there is."""
    return bool(rig.daemon.status()["sinks"]["desk"]["pending"] == 0)
