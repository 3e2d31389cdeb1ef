"""Rows 14 and 15: frames and answers that should not be, before the real daemon."""

import random
from functools import partial
from pathlib import Path

import pytest
import trio

from gateway.contracts.values import Seconds
from gateway.simulator import steps
from gateway.simulator.steps import AnyStep
from tests.scenarios.outside import MIB, PeakMemory
from tests.scenarios.results import Results
from tests.scenarios.rig import Rig, open_rig, wait_until

FRAMES = [
    pytest.param(500, "short", id="short"),
    pytest.param(25_000, "CI", marks=pytest.mark.scenarios, id="ci"),
]
"""For each venue."""
CHUNK = 500
"""Frames at once: an outbox is bounded."""
KINDS: dict[steps.GarbageKind, int] = {
    "binary": 12, "cut": 12, "deep": 1, "double_key": 12, "exponent": 12, "long_integer": 12,
    "nan": 12, "not_json": 12, "wrong_type": 12,
}  # fmt: skip
"""How often each harmless kind comes; a deep one has 200 kB."""

MESSAGE_LIMIT_MIB = 4
ANSWER_LIMIT_MIB = 8
TIMES = 4
"""A peak of so many times the limit, for both accounts together."""


@pytest.mark.parametrize(("frames", "form"), FRAMES)
@pytest.mark.timeout(600)
async def test_garbage_is_kept_and_passed_over(
    tmp_path: Path, results: Results, frames: int, form: str
):
    """Frames that make no sense are kept as unrecognized; the next good one is processed."""
    rng = random.Random("garbage")
    async with open_rig(tmp_path, accounts=1) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        memory = PeakMemory(rig.daemon.pid)
        last_seq = 0
        for _ in range(frames // CHUNK):
            for venue in rig.venues.values():
                for kind in rng.choices(list(KINDS), list(KINDS.values()), k=CHUNK):
                    venue.do(steps.Garbage(kind=kind))
                venue.do(steps.Trade())
            last_seq += CHUNK * len(rig.venues)
            await wait_until(partial(seq_is, rig, last_seq), 60, "garbage to be read")
        await rig.wait_quiet()

        verdict = rig.judge()
        verdict.assert_kept()
        kept = [event for event in rig.delivered() if event["kind"] == "unrecognized"]
        assert sum(venue.faults.struck["garbage"] for venue in rig.venues.values()) > 0
        assert len(kept) == frames * len(rig.venues)
        assert any(event["unrecognized"]["encoding"] == "base64" for event in kept)
        for name in rig.accounts:
            assert all(stream["status"] != "gap_opened" for stream in rig.streams(name))
        grown = memory.grown_mib()
        results.note(
            14, "garbage of every kind", form, frames=frames * len(rig.venues), kept=len(kept),
            lost=0, MiB_at_peak=round(grown, 1),
        )  # fmt: skip


async def test_invalid_utf8_ends_the_connection_and_is_a_gap(tmp_path: Path, results: Results):
    """A text frame that is not UTF-8 closes by 1007: a gap with that reason, then healed."""
    async with open_rig(tmp_path, accounts=1) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        strike(rig, steps.Garbage(kind="invalid_utf8"))
        await wait_until(lambda: all_gaps(rig, "invalid_utf8"), 30, "gaps")
        await rig.wait_quiet()

        rig.judge().assert_kept()
        results.note(14, "invalid UTF-8", "short", lost=0)


@pytest.mark.parametrize("kind", ["oversize", "fragments"])
async def test_endless_frames_end_the_connection_not_the_daemon(
    tmp_path: Path, results: Results, kind: str
):
    """A message past the limit closes by 1009; memory stays within four times the limit."""
    size = 32 * MIB
    step: AnyStep = steps.Oversize(size=size) if kind == "oversize" else steps.Fragments(size=size)
    async with open_rig(tmp_path, accounts=1) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        memory = PeakMemory(rig.daemon.pid)
        strike(rig, step)
        await wait_until(lambda: all_gaps(rig, "frame_too_large"), 30, "gaps")
        await rig.wait_quiet()

        grown = memory.grown_mib()
        assert grown <= TIMES * MESSAGE_LIMIT_MIB
        results.note(15, f"{kind} frame", "short", MiB_sent=32, MiB_at_peak=round(grown, 1))


async def test_a_deflate_bomb_is_not_unfolded(tmp_path: Path, results: Results):
    """A compressed frame that nobody agreed to ends the connection; memory stays."""
    async with open_rig(tmp_path, accounts=1) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        memory = PeakMemory(rig.daemon.pid)
        strike(rig, steps.DeflateBomb(size=64 * MIB))
        await wait_until(lambda: all_gaps(rig, "protocol_error"), 30, "gaps")
        await rig.wait_quiet()

        grown = memory.grown_mib()
        assert grown <= TIMES * MESSAGE_LIMIT_MIB
        results.note(15, "deflate bomb", "short", MiB_within=64, MiB_at_peak=round(grown, 1))


async def test_an_answer_without_end_is_cut(tmp_path: Path, results: Results):
    """A REST answer that never ends is cut at its limit, and the gap is read afterwards."""
    async with open_rig(tmp_path, accounts=1) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        memory = PeakMemory(rig.daemon.pid)
        strike(rig, steps.Endless(lasting=Seconds(8)))
        strike(rig, steps.Drop())
        await wait_until(lambda: all_gaps(rig, "connection_lost"), 30, "gaps")
        await trio.sleep(8)
        await rig.wait_quiet(90)

        assert all(venue.faults.struck["endless"] for venue in rig.venues.values())
        grown = memory.grown_mib()
        assert grown <= TIMES * ANSWER_LIMIT_MIB
        results.note(15, "endless REST answer", "short", MiB_at_peak=round(grown, 1))


def seq_is(rig: Rig, at_least: int) -> bool:
    """Whether the journal has come so far."""
    return bool(rig.daemon.status()["journal"]["last_seq"] >= at_least)


def strike(rig: Rig, step: AnyStep) -> None:
    """Something happens on each account, and a fault meets its connection."""
    for venue in rig.venues.values():
        venue.do(steps.Trade())
        venue.do(step)


def all_gaps(rig: Rig, reason: str) -> bool:
    """Every account declared a gap for that reason."""
    return all(
        any(
            stream["status"] == "gap_opened" and stream["reason"] == reason
            for stream in rig.streams(name)
        )
        for name in rig.accounts
    )
