"""Row 22: signals at bad moments, with a sink that hangs."""

import random
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from tests.doubles.receiver import Reply
from tests.scenarios.receivers import content, open_desk
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig, wait_until

DRAIN_SECONDS = 1
ENDS_WITHIN_SECONDS = 30
"""Drain + 2 s is the promise; the deadline is generous, for a machine under load."""
FLOWING_EVENTS = 20
"""More than what a start says of itself."""
HEALED_EVERY = 5
"""Rounds before the gaps may be filled: what REST has to tell grows with each stop."""


async def under_load(rig: Rig) -> int:
    """SIGTERM while events flow and a sink hangs."""
    await events_flow(rig)
    await trio.sleep(random.Random(rig.daemon.starts).uniform(0, 0.5))
    rig.daemon.signal(signal.SIGTERM)
    return await rig.daemon.wait_ended(ENDS_WITHIN_SECONDS)


async def twice(rig: Rig) -> int:
    """A second SIGTERM while the sinks are being drained."""
    await events_flow(rig)
    rig.daemon.signal(signal.SIGTERM)
    said = rig.daemon.log.stat().st_size
    await wait_until(lambda: "gateway_stopping" in since(rig, said) or not rig.daemon.running)
    if rig.daemon.running:
        rig.daemon.signal(signal.SIGTERM)
    return await rig.daemon.wait_ended(ENDS_WITHIN_SECONDS)


async def during_start(rig: Rig) -> int:
    """SIGTERM before it is ready."""
    said = rig.daemon.log.stat().st_size
    await wait_until(lambda: "gateway_starting" in since(rig, said))
    rig.daemon.signal(signal.SIGTERM)
    return await rig.daemon.wait_ended(ENDS_WITHIN_SECONDS)


async def during_recovery(rig: Rig) -> int:
    """SIGTERM while REST is being read for a gap."""
    said = rig.daemon.log.stat().st_size
    await wait_until(lambda: "account_live" in since(rig, said), 60, "a live account")
    rig.daemon.signal(signal.SIGTERM)
    return await rig.daemon.wait_ended(ENDS_WITHIN_SECONDS)


async def hangup_first(rig: Rig) -> int:
    """SIGHUP as early as Python can have met the handler, then SIGTERM."""
    await wait_until(lambda: ignores_hangup(rig.daemon.pid), what="the first handler")
    rig.daemon.signal(signal.SIGHUP)
    await rig.daemon.wait_ready()
    rig.daemon.signal(signal.SIGHUP)
    rig.daemon.signal(signal.SIGTERM)
    return await rig.daemon.wait_ended(ENDS_WITHIN_SECONDS)


async def events_flow(rig: Rig) -> None:
    """Wait for events of this start. Not for the gaps to be filled, which REST's limits slow."""
    already = len(rig.delivered())
    await rig.daemon.wait_ready()
    await wait_until(lambda: len(rig.delivered()) > already + FLOWING_EVENTS, 60, "events")


MOMENTS: list[Callable[[Rig], Awaitable[int]]] = [
    under_load, twice, during_start, during_recovery, hangup_first,
]  # fmt: skip
ROUNDS = [
    pytest.param(1, "short"),
    pytest.param(10, "CI", marks=[pytest.mark.scenarios, pytest.mark.timeout(900)]),
    pytest.param(40, "soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]


@pytest.mark.parametrize(("rounds", "form"), ROUNDS)
async def test_it_stops_in_time_and_loses_nothing(
    tmp_path: Path, results: Results, rounds: int, form: str
):
    """At whatever moment it is told to stop, it exits 0 although a sink hangs."""
    async with open_desk() as desk, open_rig(tmp_path, seed=22) as rig:
        desk.mood = lambda _: Reply(delay_seconds=3600)
        rig.sinks["desk"] = desk.sink()
        rig.settings["shutdown"] = f"{{drain: {DRAIN_SECONDS}s}}"
        rig.write_config()
        await rig.daemon.start()
        await rig.wait_live()
        rig.set_rate(8)
        assert await rig.daemon.stop() == 0
        for number in range(rounds):
            for moment in MOMENTS:
                rig.daemon.launch()
                assert await moment(rig) == 0, moment.__name__
            if number % HEALED_EVERY == HEALED_EVERY - 1:
                await heal(rig)
        desk.ids.clear()
        desk.mood = content
        await rig.daemon.start()
        await rig.wait_quiet(120)

        verdict = rig.judge()
        verdict.assert_kept()
        delivered = dict.fromkeys(event["id"] for event in rig.delivered())
        assert list(delivered) == desk.first_ids()
        assert "Traceback" not in rig.daemon.log.read_text()
    results.note(
        22, "SIGTERM and SIGHUP at bad moments, a sink hangs", form,
        stops=rounds * len(MOMENTS), moments=len(MOMENTS), facts=verdict.facts,
        events=verdict.events, lost=len(verdict.missing),
    )  # fmt: skip


async def heal(rig: Rig) -> None:
    """Let one run last until no gap is open."""
    await rig.daemon.start()
    await rig.wait_live(120)
    assert await rig.daemon.stop() == 0


def since(rig: Rig, size: int) -> str:
    """What the log says behind an offset."""
    with rig.daemon.log.open("rb") as log:
        log.seek(size)
        return log.read().decode(errors="replace")


def ignores_hangup(pid: int) -> bool:
    """Whether the process has taken charge of SIGHUP: ignored or caught."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = dict(line.split(":\t", 1) for line in status.splitlines() if line.startswith("Sig"))
    taken = int(masks["SigIgn"], 16) | int(masks["SigCgt"], 16)
    return bool(taken & 1 << (signal.SIGHUP - 1))
