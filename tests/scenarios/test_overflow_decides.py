"""At the journal's size limit the `overflow` of a sink that waits decides, and says so."""

from pathlib import Path

import pytest

from tests.doubles.receiver import Reply
from tests.scenarios.receivers import Desk, content, open_desk
from tests.scenarios.rig import Rig, open_rig, wait_until

LIMIT_KIB = 384
RATE = 20.0
"""Per second and account: at the limit within seconds."""
SOME_DROPS = 300

pytestmark = pytest.mark.timeout(180)


async def start(rig: Rig, desk: Desk, overflow: str) -> None:
    """Run with a journal that is soon full, beside a desk that takes nothing."""
    desk.mood = lambda _: Reply(503)
    rig.sinks["desk"] = desk.sink(overflow=overflow)
    rig.settings["journal"] = f"{{retain: {{size: {LIMIT_KIB}KiB}}}}"
    rig.write_config()
    await rig.daemon.start()
    await rig.wait_live()
    rig.set_rate(RATE)


async def test_block_closes_the_sources_and_loses_nothing(tmp_path: Path):
    """The sockets close, the gap says why, and once the sink moves all goes on by itself."""
    async with open_desk() as desk, open_rig(tmp_path, seed=30, venues=("fmex",)) as rig:
        await start(rig, desk, "block")
        await wait_until(lambda: rig.daemon.status()["journal"]["blocked"], 60, "a full journal")
        await wait_until(lambda: not connections(rig), 30, "the sources to pause")
        assert rig.daemon.status()["journal"]["blocked_reason"] == "sink_blocked"
        desk.mood = content
        await rig.wait_quiet(120)

        rig.judge().assert_kept()
        delivered = [event["id"] for event in rig.delivered()]
        assert delivered == desk.first_ids()
        assert counts(rig)["dropped"] == 0
        for account in rig.accounts:
            opened = {each["reason"] for each in rig.streams(account)}
            assert "sink_blocked" in opened


async def test_drop_oldest_gives_up_the_oldest_and_counts_them(tmp_path: Path):
    """No source notices; the sink gets the newest, in order, and what it lost is counted."""
    async with open_desk() as desk, open_rig(tmp_path, seed=31, venues=("fmex",)) as rig:
        await start(rig, desk, "drop_oldest")
        await wait_until(lambda: counts(rig)["dropped"] >= SOME_DROPS, 60, "drops")
        assert "sink_overflowed" in rig.daemon.log.read_text()
        kept_from = rig.daemon.status()["journal"]["first_seq"]
        desk.mood = content
        await rig.wait_quiet(120)

        rig.judge().assert_kept()
        sink = counts(rig)
        assert len(rig.delivered()) == sink["recorded"] == sink["dropped"] + sink["delivered"]
        assert len(desk.seqs) == sink["delivered"]
        assert sorted(set(desk.seqs)) == desk.seqs
        # A batch that was under way when its events were given up arrives after all.
        last_seq = rig.daemon.status()["journal"]["last_seq"]
        assert set(range(kept_from, last_seq + 1)) <= set(desk.seqs)
        for account in rig.accounts:
            assert ["live"] == [each["status"] for each in rig.streams(account)]


def connections(rig: Rig) -> int:
    """How many sockets to venues there are."""
    return sum(each["connections"] for each in rig.daemon.status()["accounts"].values())


def counts(rig: Rig) -> dict[str, int]:
    """What became of the desk's events."""
    sink: dict[str, int] = rig.daemon.status()["sinks"]["desk"]
    return sink
