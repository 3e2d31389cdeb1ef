"""I8: what REST cannot tell is never called complete, and what was heard is no gap."""

from datetime import timedelta
from pathlib import Path

import pytest
import trio
import trio.testing

from gateway.contracts.values import Seconds
from gateway.journal.records import BlockReason
from gateway.simulator import steps
from gateway.simulator.steps import AnyStep
from tests.scenarios.virtual import VirtualRig, open_virtual_rig

HOUR = 3600
UNTOLD: list[tuple[str, AnyStep]] = [
    ("lbank", steps.Status(status=404, path="order", lasting=Seconds(HOUR))),
    ("lbank", steps.RejectRest(code=10008, path="transaction_history", lasting=Seconds(HOUR))),
    ("fmex", steps.Status(status=404, path="/matches", lasting=Seconds(HOUR))),
]
"""REST answers, and leaves out what the gap was about."""


async def cut(rig: VirtualRig, *faults: AnyStep) -> None:
    """Trade, lose the connection while trading goes on, and trade again."""
    await rig.wait_live()
    rig.set_rate(2)
    await trio.sleep(20)
    for fault in faults:
        rig.do(fault)
    rig.do(steps.RefuseConnect(lasting=Seconds(20)))
    rig.do(steps.Drop())
    await trio.sleep(60)


async def trade(rig: VirtualRig, seconds: float) -> None:
    """A lively spell of the market, and a quiet moment."""
    rig.set_rate(2)
    await trio.sleep(seconds)
    rig.set_rate(0)
    await trio.sleep(1)


@pytest.mark.parametrize(("venue", "fault"), UNTOLD)
async def test_what_rest_leaves_out_is_never_complete(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, venue: str, fault: AnyStep
):
    """A cut whose fills or orders REST does not tell ends `complete: false`."""
    async with open_virtual_rig(tmp_path, venues=(venue,)) as rig, rig.running():
        await cut(rig, fault)
        await rig.wait_until(lambda: rig.streams(f"{venue}-1", "gap_closed"), what="closed")

        assert {False} == {each["complete"] for each in rig.streams(f"{venue}-1", "gap_closed")}
        assert all(each["detail"] for each in rig.streams(f"{venue}-1", "gap_closed"))


@pytest.mark.scenarios  # a quarter of an hour, of which virtual time spares not all
@pytest.mark.parametrize("venue", ["lbank", "fmex"])
async def test_a_gap_that_rest_could_not_read_is_given_up_then_closed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, venue: str
):
    """Ten minutes without REST: `complete: false`; once it answers, `complete: true`."""
    name = f"{venue}-1"
    down = [
        steps.Status(status=500, path=path, lasting=Seconds(900))
        for path in ("orders", "accounts", "positions", "user_info", "transaction")
    ]
    async with open_virtual_rig(tmp_path, venues=(venue,)) as rig, rig.running():
        await cut(rig, *down)
        await rig.wait_until(lambda: rig.streams(name, "gap_closed"), 800, "given up")
        given_up = rig.streams(name, "gap_closed")
        await rig.wait_live()
        await rig.wait_quiet()

        rig.judge().assert_kept()
        assert [("rest_unavailable", False)] == [(s["reason"], s["complete"]) for s in given_up]
        last = rig.streams(name, "gap_closed")[-1]
        assert (last["complete"], last["since"]) == (True, given_up[0]["since"])


@pytest.mark.parametrize("venue", ["lbank", "fmex"])
async def test_a_gap_that_is_open_at_a_stop_is_closed_by_the_next_run(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, venue: str
):
    """A restart amid a gap begins no second one: the first is read from where it began."""
    name = f"{venue}-1"
    async with open_virtual_rig(tmp_path, venues=(venue,)) as rig:
        async with rig.running():
            await rig.wait_live()
            rig.set_rate(2)
            await trio.sleep(20)
            rig.do(steps.RefuseConnect(lasting=Seconds(60)))
            rig.do(steps.Drop())
            await rig.wait_until(lambda: rig.reasons(name), what="opened")
            await trio.sleep(10)
        (opened,) = rig.streams(name, "gap_opened")
        async with rig.running():
            await rig.wait_live()
            await rig.wait_quiet()

        rig.judge().assert_kept()
        (closed,) = rig.streams(name, "gap_closed")
        assert (closed["complete"], closed["since"]) == (True, opened["since"])


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("venue", ["lbank", "fmex"])
async def test_what_a_standing_socket_swallowed_is_a_gap_at_the_next_check(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, venue: str, seed: int
):
    """Nothing excuses silence beyond a comparison with REST: then it is declared, and filled."""
    name = f"{venue}-1"
    async with open_virtual_rig(tmp_path, venues=(venue,), seed=seed) as rig, rig.running():
        await rig.wait_live()
        await trade(rig, seconds=5)
        await trio.sleep(70)
        assert [] == rig.reasons(name)
        rig.do(steps.Lose(lasting=Seconds(5), share=1.0))
        await trade(rig, seconds=5)
        await rig.wait_until(lambda: rig.streams(name, "gap_closed"), 80, "checked and read")
        await trade(rig, seconds=5)
        await rig.wait_quiet()

        rig.judge(checked=timedelta(0)).assert_kept()
        assert rig.struck("lose") > 0
        assert {"check_disagreed"} == set(rig.reasons(name))
        assert all(each["complete"] for each in rig.streams(name, "gap_closed"))


@pytest.mark.parametrize("reason", BlockReason)
@pytest.mark.parametrize("gap", ["by the block", "before it"])
async def test_a_restart_while_the_journal_is_blocked_keeps_the_gap(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, reason: BlockReason, gap: str
):
    """The gap that was open when the journal could write no more is the one that is closed."""
    async with open_virtual_rig(tmp_path) as rig:
        async with rig.running():
            await rig.wait_live()
            rig.set_rate(2)
            await trio.sleep(20)
            if gap == "before it":
                rig.do(steps.RefuseConnect(lasting=Seconds(30)))
                rig.do(steps.Drop())
                await trio.sleep(5)
            rig.journal.set_blocked(reason)
            await trio.sleep(10)
        opened = {name: rig.streams(name, "gap_opened") for name in rig.accounts}
        async with rig.running():
            await trio.sleep(20)
            assert 0 == sum(venue.connections for venue in rig.venues.values())
            rig.journal.set_blocked(None)
            await rig.wait_live()
            await rig.wait_quiet()

        rig.judge().assert_kept()
        for name in rig.accounts:
            assert 1 == len(opened[name])
            (closed,) = rig.streams(name, "gap_closed")
            assert (closed["complete"], closed["since"]) == (True, opened[name][0]["since"])


async def test_a_gap_longer_than_the_history_is_not_complete(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
):
    """LBank lists the orders of a day: after 25 h nobody can prove that all were read."""
    async with open_virtual_rig(tmp_path, venues=("lbank",)) as rig:
        async with rig.running():
            await rig.wait_live()
            rig.set_rate(1)
            await trio.sleep(20)
            rig.set_rate(0)
        await trio.sleep(25 * HOUR)
        async with rig.running():
            await rig.wait_live()

        (closed,) = rig.streams("lbank-1", "gap_closed")
        assert (closed["complete"], closed["reason"]) == (False, "partly_unreadable")


@pytest.mark.parametrize("venue", ["lbank", "fmex"])
async def test_losing_one_of_two_connections_loses_nothing(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, venue: str
):
    """The other one hears everything: no gap is declared, nothing is missing or doubled."""
    async with open_virtual_rig(tmp_path, venues=(venue,)) as rig:
        rig.patches[f"{venue}-1"] = "    connections: 2\n"
        async with rig.running():
            await rig.wait_until(lambda: rig.venues[venue].connections == 2, what="two")
            await rig.wait_live()
            rig.set_rate(5)
            for _ in range(3):
                await trio.sleep(20)
                rig.venues[venue]._audience.of(0)[0].cut("rst")
            await trio.sleep(20)
            await rig.wait_quiet()

            rig.judge().assert_kept()
            assert 5 <= rig.venues[venue].connections_met
            assert [] == rig.reasons(f"{venue}-1")
