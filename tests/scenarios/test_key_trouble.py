"""Row 12: the stream key cannot be refreshed, or its life passes unnoticed."""

import signal
from pathlib import Path

import pytest
import trio
import trio.testing

from gateway.accounts.roster import PAUSE_SECONDS
from gateway.contracts.values import Seconds
from gateway.simulator import steps
from gateway.simulator.steps import AnyStep
from tests.scenarios.results import Results
from tests.scenarios.rig import open_rig
from tests.scenarios.virtual import open_virtual_rig

LIFE_SECONDS = 600
REFRESH = "refresh_key"
FOREVER = Seconds(2 * LIFE_SECONDS)
INVALID_PARAMETER = 10003

FAULTS = [
    pytest.param(
        steps.RejectRest(path=REFRESH, code=INVALID_PARAMETER, lasting=FOREVER), id="refused"
    ),
    pytest.param(steps.Hang(path=REFRESH, lasting=FOREVER), id="time-out"),
    pytest.param(steps.Status(path=REFRESH, status=500, lasting=FOREVER), id="answers 500"),
    pytest.param(steps.Html(path=REFRESH, lasting=FOREVER), id="answers HTML"),
]


@pytest.mark.parametrize("step", FAULTS)
@pytest.mark.parametrize("new_key", ["fresh", "voids_old"])
async def test_a_key_that_cannot_be_refreshed_is_replaced(
    tmp_path: Path,
    autojump_clock: trio.testing.MockClock,
    results: Results,
    request: pytest.FixtureRequest,
    step: AnyStep,
    new_key: str,
):
    """A new key and a new connection before the old key's end; nothing is lost."""
    name = "lbank-1"
    switches = {"lbank": {"key_life": LIFE_SECONDS, "new_key": new_key}}
    rigged = open_virtual_rig(tmp_path, venues=("lbank",), switches=switches)
    async with rigged as rig:
        rig.patches[name] = f"    key: {{life: {LIFE_SECONDS}s, refresh: {LIFE_SECONDS // 2}s}}\n"
        async with rig.running():
            await rig.wait_live()
            rig.set_rate(1)
            rig.do(step)
            took = await rig.wait_until(
                lambda: "replaced" in rig.reasons(name, "key_renewed"), LIFE_SECONDS, "replaced"
            )
            await trio.sleep(90)
            rig.venues["lbank"].heal()
            await rig.wait_quiet()

            verdict = rig.judge()
            verdict.assert_kept()
            assert rig.struck(str(step.__struct_config__.tag)) > 0
            assert all(each["complete"] for each in rig.streams(name, "gap_closed"))
            refused = isinstance(step, steps.RejectRest)
            if not refused and new_key == "fresh":
                # Make before break: both keys lived while one connection followed the other.
                assert rig.reasons(name) == []
            fault = f"key refresh {request.node.callspec.id.rpartition('-')[2]}, new key {new_key}"
            results.note(
                12, fault, "short", seconds_to_heal=round(took), facts=verdict.facts, lost=0,
                doubled=0, gaps=len(rig.reasons(name)),
            )  # fmt: skip


@pytest.mark.scenarios
@pytest.mark.parametrize("expiry", [None, "silent", "error", "close"])
@pytest.mark.timeout(180)
async def test_a_paused_process_declares_the_pause(
    tmp_path: Path, results: Results, expiry: str | None
):
    """Stopped past a heartbeat, or past its key's life too, the daemon's gap is honest."""
    life = 3600 if expiry is None else PAUSE_SECONDS
    switches = {"lbank": {"key_life": life, "key_expiry": expiry or "silent"}}
    async with open_rig(tmp_path, accounts=1, switches=switches) as rig:
        rig.patches["lbank-1"] = f"    key: {{life: {life:.0f}s, refresh: {life / 2:.0f}s}}\n"
        rig.write_config()
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(3)
        await trio.sleep(2)
        rig.daemon.signal(signal.SIGSTOP)
        # The pause itself is the fault, so this one wait is real.
        await trio.sleep(PAUSE_SECONDS + 5)
        rig.daemon.signal(signal.SIGCONT)
        await trio.sleep(3)
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        for name in rig.accounts:
            opened = [s for s in rig.streams(name) if s["status"] == "gap_opened"]
            assert opened, name
            assert {each["reason"] for each in opened} <= {
                "process_paused", "heartbeat_missed", "connection_lost", "check_disagreed",
            }  # fmt: skip
        said = [(each["status"], each["reason"]) for each in rig.streams("lbank-1")]
        assert (("key_renewed", "replaced") in said) is (expiry is not None)
        fault = "process paused (SIGSTOP)"
        if expiry is not None:
            fault += f" past the key's life, which ends by: {expiry}"
        results.note(
            12, fault, "CI", seconds=PAUSE_SECONDS + 5, facts=verdict.facts, lost=0, doubled=0
        )
