"""Row 11: the socket answers, and the subscription behind it is dead."""

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from gateway.simulator import steps
from gateway.simulator.steps import AnyStep
from tests.scenarios.oracle import time_of
from tests.scenarios.results import Results
from tests.scenarios.virtual import open_virtual_rig

NOTICED_SECONDS = 90.0
"""A periodic check comes every 30 s here, and lets pushes five seconds of grace."""

FAULTS = [
    pytest.param("lbank", steps.LoseSubscription(), {}, id="lbank-forgotten"),
    pytest.param("fmex", steps.LoseSubscription(), {}, id="fmex-forgotten"),
    pytest.param("lbank", steps.ExpireKey(), {"bad_key": "silent"}, id="lbank-key-expired"),
    pytest.param("lbank", steps.VoidKey(), {"bad_key": "silent"}, id="lbank-key-voided"),
    pytest.param(
        "lbank", steps.VoidKey(), {"bad_key": "silent", "new_key": "voids_old"}, id="lbank-one-key"
    ),
    pytest.param("lbank", steps.ExpireKey(), {"key_expiry": "error"}, id="lbank-key-error"),
    pytest.param("lbank", steps.ExpireKey(), {"key_expiry": "close"}, id="lbank-key-close"),
]


@pytest.mark.parametrize(("venue", "step", "switches"), FAULTS)
@pytest.mark.parametrize("connections", [1, pytest.param(2, marks=pytest.mark.scenarios)])
async def test_dead_subscription_is_noticed(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    request: pytest.FixtureRequest,
    venue: str,
    step: AnyStep,
    switches: dict[str, Any],
    connections: int,
):
    """A subscription that died without a word is found by REST, declared and replaced."""
    name = f"{venue}-1"
    rigged = open_virtual_rig(tmp_path, venues=(venue,), switches={venue: switches}, check="30s")
    async with rigged as rig:
        rig.patches[name] = f"    connections: {connections}\n"
        async with rig.running():
            await rig.wait_live()
            rig.set_rate(2)
            await trio.sleep(45)
            before = rig.venues[venue].connections_met
            rig.do(step)
            noticed = await rig.wait_until(lambda: rig.reasons(name), NOTICED_SECONDS, "noticed")
            healed = noticed + await rig.wait_live()
            healed_ms = rig.clock.now_ns() // 1_000_000
            await trio.sleep(20)
            await rig.wait_quiet()

            verdict = rig.judge()
            verdict.assert_kept()
            assert rig.struck(str(step.__struct_config__.tag)) > 0
            assert rig.venues[venue].connections_met > before
            assert all(each["complete"] for each in rig.streams(name, "gap_closed"))
            # The new subscription carries pushes; REST did not do all the work.
            assert any(
                event["origin"] == "push" and stamp_ms(event["venue_time"]) > healed_ms
                for event in rig.delivered()
                if event["kind"] == "order"
            )
            results.note(
                11, f"{request.node.callspec.id}", "short", seconds_to_notice=round(noticed, 1),
                seconds_to_heal=round(healed, 1), facts=verdict.facts, lost=0, doubled=0,
            )  # fmt: skip


def stamp_ms(text: str) -> float:
    """Milliseconds since 1970."""
    return time_of(text).timestamp() * 1000


UNCONFIRMED = [
    pytest.param("lbank", {"bad_key": "silent"}, id="lbank-silent"),
    pytest.param("lbank", {"bad_key": "close"}, id="lbank-close"),
    pytest.param(
        "fmex", {"refused_login": "anonymous", "anonymous_sub": "silent"}, id="fmex-anonymous"
    ),
    pytest.param("fmex", {"refused_login": "anonymous"}, id="fmex-anonymous-refused"),
]


@pytest.mark.parametrize(("venue", "switches"), UNCONFIRMED)
async def test_a_stream_without_rights_is_never_live(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    venue: str,
    switches: dict[str, Any],
):
    """A login that is let in and told nothing is no live stream: the account says so."""
    name = f"{venue}-1"
    async with open_virtual_rig(tmp_path, venues=(venue,), switches={venue: switches}) as rig:
        refusing = steps.RefuseLogin()
        rig.do(refusing)
        async with rig.running():
            await rig.wait_until(lambda: rig.streams(name, "suspended"), 120, "suspended")
            assert not rig.streams(name, "live")
            rig.venues[venue].heal()
            rig.roster.reconnect(name)
            await rig.wait_live()
            rig.set_rate(2)
            await trio.sleep(10)
            await rig.wait_quiet()

            rig.judge().assert_kept()
            assert rig.struck("refuse_login") > 0
