"""Row 13: duplicates, late and disordered pushes, and streams that overlap with REST."""

from pathlib import Path

import pytest
import trio
import trio.testing

from gateway.contracts.values import Seconds
from gateway.simulator import steps
from tests.scenarios.results import Results
from tests.scenarios.virtual import VirtualRig, open_virtual_rig

FACTS = [
    pytest.param(400, "short", id="short"),
    pytest.param(10_000, "CI", marks=pytest.mark.scenarios, id="ci"),
]
FINAL = ("filled", "canceled", "rejected")


@pytest.mark.parametrize(("facts", "form"), FACTS)
@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.timeout(400)
async def test_repeats_make_one_event_per_fact(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    facts: int,
    form: str,
    connections: int,
):
    """Doubled, late, disordered and overlapping reports are one event per fact."""
    async with open_virtual_rig(tmp_path) as rig:
        rig.patches = dict.fromkeys(rig.accounts, f"    connections: {connections}\n")
        async with rig.running():
            await rig.wait_live()
            rig.do(steps.Duplicate(share=0.5))
            rig.do(steps.Reorder(share=0.2))
            rig.set_rate(10)
            while facts_of(rig) < facts:
                await trio.sleep(20)
                # The new stream and the reading overlap with what was pushed before.
                for name in rig.accounts:
                    rig.roster.recover(name)
                rig.do(steps.Drop())
                rig.do(steps.Delay(by=Seconds(2), lasting=Seconds(5)))
            rig.set_rate(0)
            await trio.sleep(10)
            for venue in rig.venues.values():
                venue.heal()
            await rig.wait_quiet()

            verdict = rig.judge()
            verdict.assert_kept()
            assert rig.struck("duplicate") > facts / 10
            assert rig.struck("reorder") > facts / 20
            assert reopened(rig) == []
            results.note(
                13, f"doubled, late, disordered ({connections} connections)", form,
                facts=verdict.facts, pushes_doubled=rig.struck("duplicate"), lost=0, doubled=0,
            )  # fmt: skip


def facts_of(rig: VirtualRig) -> int:
    """How much has happened at all venues."""
    return sum(len(venue.truth.facts) for venue in rig.venues.values())


def reopened(rig: VirtualRig) -> list[str]:
    """Orders that were told as open after they were told as final."""
    final: set[str] = set()
    found = []
    for event in rig.delivered():
        if event["kind"] != "order":
            continue
        order = event["order"]
        if order["order_id"] in final and not order["final"]:
            found.append(order["order_id"])
        if order["status"] in FINAL:
            final.add(order["order_id"])
    return found
