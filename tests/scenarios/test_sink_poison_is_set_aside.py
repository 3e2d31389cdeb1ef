"""Row 8: a sink refuses single events for good."""

from pathlib import Path

import pytest

from tests.doubles.receiver import Reply
from tests.scenarios.load import pour
from tests.scenarios.outside import gateway
from tests.scenarios.receivers import Brief, content, open_desk
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import Rig, open_rig, wait_until

FORMS = [
    pytest.param(Form.SHORT, 1_000, id="short"),
    pytest.param(
        Form.CI, 100_000, id="ci", marks=[pytest.mark.scenarios, pytest.mark.timeout(1500)]
    ),
]
ONE_IN = 100
WAYS = (400, 413, 422)
"""A malformed event, one too large, one that breaks a constraint."""


@pytest.mark.parametrize(("form", "events"), FORMS)
async def test_sink_poison_is_set_aside(tmp_path: Path, results: Results, form: Form, events: int):
    """Exactly the refused events become dead letters, with the reason; a replay empties them."""
    async with open_desk() as desk, open_rig(tmp_path) as rig:
        rig.sinks["desk"] = desk.sink()
        rig.write_config()
        desk.mood = refuse_poison
        await rig.daemon.start()
        await rig.wait_live()
        await pour(rig, events)
        await rig.wait_quiet(600)

        told = rig.delivered()
        poison = {
            event["id"]: status_for(event["seq"]) for event in told if is_poison(event["seq"])
        }
        listed = (await gateway(rig, "dlq", "list", "--json")).lines()
        assert poison == {letter["event_id"]: int(letter["reason"]) for letter in listed}
        assert len(poison) == len(listed)
        assert all(f"seq {letter['seq']} " in letter["excerpt"] for letter in listed)
        assert [event["id"] for event in told if event["id"] not in poison] == desk.first_ids()
        assert_counted(rig, len(told), len(poison))

        desk.mood = content
        replay = await gateway(rig, "dlq", "replay", "--sink", "desk")
        assert replay.exit_code == 0, replay.err
        assert (await gateway(rig, "dlq", "list", "--json")).lines() == []
        assert {event["id"] for event in told} == set(desk.ids)
        assert len(desk.ids) == len(told)
        await wait_until(lambda: not rig.daemon.status()["sinks"]["desk"]["dead_letters"])
        assert_counted(rig, len(told), 0)

        verdict = rig.judge()
        verdict.assert_kept()
        results.note(8, "poison", form, events=len(told), dead_letters=len(poison), after_replay=0)


def is_poison(seq: int) -> bool:
    """Spread unevenly, so that batches hold none, one or several."""
    return (seq * 2_654_435_761 >> 7) % ONE_IN == 0


def status_for(seq: int) -> int:
    """How the desk refuses it."""
    return WAYS[seq % len(WAYS)]


def refuse_poison(briefs: list[Brief]) -> Reply:
    """Refuse a request that holds any, as a receiver does that takes all or nothing."""
    for brief in briefs:
        if is_poison(brief.seq):
            return Reply(status_for(brief.seq), f"seq {brief.seq} is poison".encode())
    return Reply()


def assert_counted(rig: Rig, events: int, dead: int) -> None:
    """Every event recorded is accounted for, once."""
    sink = rig.daemon.status()["sinks"]["desk"]
    counts = {name: sink[name] for name in ("recorded", "delivered", "dead_letters", "pending")}
    assert counts == {
        "recorded": events, "delivered": events - dead, "dead_letters": dead, "pending": 0,
    }  # fmt: skip
    assert sink["filtered"] == sink["dropped"] == 0
