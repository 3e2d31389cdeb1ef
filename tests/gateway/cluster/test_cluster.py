"""Two gateways and one account: deaths, moves and splits, in virtual time."""

import os
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import MockClock

from gateway.cluster import UnknownToCluster, happenings
from gateway.cluster.board import BoardUnavailable, Note
from gateway.cluster.keeper import AT_ONCE
from gateway.cluster.notes import BOOKS
from gateway.contracts.values import Secret
from gateway.events.model import Stream, StreamStatus
from gateway.events.times import to_nanoseconds
from tests.doubles.board import MemoryBoard
from tests.doubles.clocks import TrioWallClock
from tests.doubles.reports import order
from tests.doubles.venue import Settings, configured
from tests.gateway.cluster.conftest import ACCOUNT, Desk, Region

SOON = 15
"""Seconds in which anything planned or unplanned is over."""


async def both(region: Region, nursery: trio.Nursery) -> tuple[Desk, Desk]:
    """Two gateways that know each other; the first returned owns the account."""
    desks = [region.desk("one"), region.desk("two")]
    for desk in desks:
        desk.start(nursery)
    await trio.sleep(SOON)
    owner, other = sorted(desks, key=lambda desk: not desk.owns)
    assert owner.owns
    return owner, other


async def push(desk: Desk, **told: str) -> None:
    """Let what the gateway listens to tell of an order."""
    await desk.venue.live[-1].push(order(**told, time=int(trio.current_time() * 1000)))


async def test_one_gateway_owns_the_account(region: Region, autojump_clock: MockClock):
    """Of two gateways one is live for the account, and the log tells of it."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)

        assert owner.listens
        assert not other.listens
        assert {"live subscribed"} == set(region.streams())
        nursery.cancel_scope.cancel()


async def test_a_death_opens_a_gap_and_nothing_is_derived_twice(
    region: Region, autojump_clock: MockClock
):
    """The new owner derives from where the log ended, and declares the gap."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await push(owner, status="partially_filled", filled="2")
        await trio.sleep(1)

        await owner.kill()
        await trio.sleep(SOON)
        await push(other, status="partially_filled", filled="5")
        await trio.sleep(1)

        assert other.owns
        assert ["2", "3"] == region.fills()
        assert ["gap_opened gateway_down", "live subscribed", "gap_closed recovered"] == (
            region.streams()[-3:]
        )
        nursery.cancel_scope.cancel()


async def test_who_fails_to_take_over_knows_next_time_what_it_takes_over(
    region: Region, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
):
    """The engine falls silent in the middle of a take-over: the next try declares the same gap."""
    read, failed = MemoryBoard.read, []

    async def fail_once(board: MemoryBoard, key: str) -> Note | None:
        if key.startswith(BOOKS) and not failed:
            failed.append(key)
            raise BoardUnavailable("the test took it away")
        return await read(board, key)

    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        monkeypatch.setattr(MemoryBoard, "read", fail_once)
        await owner.kill()
        await trio.sleep(SOON)

        assert failed
        assert other.owns
        assert ["gap_opened gateway_down", "live subscribed", "gap_closed recovered"] == (
            region.streams()[-3:]
        )
        nursery.cancel_scope.cancel()


async def test_what_a_dead_owner_had_not_told_is_derived_by_its_successor(
    region: Region, autojump_clock: MockClock
):
    """A fill that stayed in the dead owner's journal is part of what the next one derives."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        owner.split()
        await push(owner, status="partially_filled", filled="2")
        await owner.kill()
        await trio.sleep(SOON)
        await push(other, status="partially_filled", filled="5")
        await trio.sleep(1)

        assert ["5"] == region.fills()
        nursery.cancel_scope.cancel()


async def test_a_gap_reaches_back_to_what_the_log_has(region: Region, autojump_clock: MockClock):
    """What an owner heard but could not tell before its death lies in the declared gap."""
    async with trio.open_nursery() as nursery:
        owner, _ = await both(region, nursery)
        region.shared.log_down = True
        heard_ns = region.clock.now_ns()
        await push(owner, status="partially_filled", filled="2")
        await trio.sleep(SOON)
        region.shared.log_down = False
        await owner.kill()
        await trio.sleep(SOON)

        [gap] = [
            event.body
            for event in region.told()
            if isinstance(event.body, Stream) and event.body.status is StreamStatus.GAP_OPENED
        ]
        assert heard_ns >= to_nanoseconds(gap.since)
        nursery.cancel_scope.cancel()


async def test_a_clock_that_is_ahead_hides_no_gap(region: Region, autojump_clock: MockClock):
    """Who died had a clock that ran ahead: the gap begins when it died, by its heir's clock."""
    async with trio.open_nursery() as nursery:
        fast, other = region.desk("one"), region.desk("two")
        clock = TrioWallClock()
        clock.jumped_seconds = 20
        fast.clock = clock
        told = happenings.CLOCKS_DIFFER.count
        for desk in (fast, other):
            desk.start(nursery)
            await trio.sleep(SOON)
        await other.cluster.pin(ACCOUNT, fast.name)
        await trio.sleep(SOON)
        await push(fast, status="partially_filled", filled="2")
        await trio.sleep(5)
        died_ns = region.clock.now_ns()
        await fast.kill()
        await trio.sleep(SOON)

        [gap] = [
            event.body
            for event in region.told()
            if isinstance(event.body, Stream) and event.body.status is StreamStatus.GAP_OPENED
        ]
        assert died_ns >= to_nanoseconds(gap.since)
        assert told + 2 == happenings.CLOCKS_DIFFER.count, "each says so of the other"
        nursery.cancel_scope.cancel()


async def test_a_pin_moves_the_account_without_a_gap(region: Region, autojump_clock: MockClock):
    """The new owner is live before the old one lets go, and what both heard is told once."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await push(owner, status="partially_filled", filled="2")
        await other.cluster.pin(ACCOUNT, other.name)
        await other.wait_listening()
        assert owner.listens
        await push(owner, status="partially_filled", filled="4")
        await push(other, status="partially_filled", filled="4")
        await trio.sleep(SOON)
        await push(other, status="partially_filled", filled="5")
        await trio.sleep(1)

        assert other.owns
        assert not owner.listens
        assert {"live subscribed"} == set(region.streams())
        assert ["2", "2", "1"] == region.fills()
        nursery.cancel_scope.cancel()


async def test_a_pin_that_an_account_left_behind_is_taken_away(
    region: Region, autojump_clock: MockClock
):
    """Gone from the configuration, it can be let go, but not pinned any more."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await other.cluster.pin(ACCOUNT, other.name)
        await trio.sleep(SOON)
        for desk in (owner, other):
            await desk.cluster.reconfigure(desk.roster, {})
        with pytest.raises(UnknownToCluster):
            await other.cluster.pin(ACCOUNT, owner.name)
        await other.cluster.pin(ACCOUNT, None)
        await trio.sleep(SOON)
        with pytest.raises(UnknownToCluster):
            await other.cluster.pin(ACCOUNT, None)
        nursery.cancel_scope.cancel()


async def test_what_only_the_successor_heard_is_told(region: Region, autojump_clock: MockClock):
    """A push that missed the old owner goes through the book once that was handed over."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await push(owner, status="partially_filled", filled="2")
        await other.cluster.pin(ACCOUNT, other.name)
        await other.wait_listening()
        await push(other, status="partially_filled", filled="4")
        await trio.sleep(SOON)

        assert other.owns
        assert ["2", "2"] == region.fills()
        nursery.cancel_scope.cancel()


async def test_a_drained_gateway_gives_everything_away(region: Region, autojump_clock: MockClock):
    """Drained, a gateway owns nothing; undrained it has its share again."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)

        await other.cluster.drain(owner.name)
        await trio.sleep(SOON)
        assert other.owns

        await other.cluster.drain(owner.name, drained=False)
        await trio.sleep(SOON)
        assert owner.owns
        assert {"live subscribed"} == set(region.streams())
        nursery.cancel_scope.cancel()


async def test_a_step_that_waited_too_long_is_decided_anew(
    region: Region, autojump_clock: MockClock
):
    """Where a drain of more accounts than go at once is taken back, nothing falls over."""
    region.accounts = (ACCOUNT, *(f"b{number}" for number in range(3 * AT_ONCE)))
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await other.cluster.drain(owner.name)
        await trio.sleep(SOON)
        assert {other.name} == set(region.owners().values())

        await other.cluster.drain(owner.name, drained=False)
        await trio.sleep(2)
        await other.cluster.drain(owner.name)
        await trio.sleep(2 * SOON)

        assert {other.name} == set(region.owners().values())
        nursery.cancel_scope.cancel()


async def test_a_gateway_that_stops_hands_over_first(region: Region, autojump_clock: MockClock):
    """An orderly stop waits until the account is live elsewhere."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)

        await owner.stop()

        assert other.owns
        assert other.listens
        assert {"live subscribed"} == set(region.streams())
        nursery.cancel_scope.cancel()


async def test_a_stop_waits_for_an_engine_that_is_away_for_a_moment(
    region: Region, autojump_clock: MockClock
):
    """While NATS elects a leader nothing can be handed over: the stop waits, and opens no gap."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        region.shared.down = True
        await trio.sleep(1)
        nursery.start_soon(owner.stop)
        await trio.sleep(4)
        assert owner.listens
        region.shared.down = False
        await trio.sleep(SOON)

        assert other.owns
        assert not owner.listens
        assert {"live subscribed"} == set(region.streams())
        nursery.cancel_scope.cancel()


async def test_the_last_gateway_stops_at_once(region: Region, autojump_clock: MockClock):
    """With nobody to hand over to, a stop says so in the log and waits for nobody."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await other.kill()
        await trio.sleep(SOON)
        asked_at = trio.current_time()

        await owner.stop()

        assert trio.current_time() - asked_at < 5
        nursery.cancel_scope.cancel()


async def test_a_gateway_that_was_cut_off_is_fenced(region: Region, autojump_clock: MockClock):
    """Back in reach, a former owner lets go; what it heard before its successor comes late."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await push(owner, status="partially_filled", filled="2")
        await trio.sleep(1)
        owner.split()
        await push(owner, status="partially_filled", filled="3")
        await trio.sleep(SOON)
        await push(owner, status="partially_filled", filled="4")
        await push(other, status="partially_filled", filled="4")
        assert other.owns
        assert owner.listens, "cut off, it goes on journalling"

        owner.heal()
        await other.cluster.pin(ACCOUNT, other.name)
        await trio.sleep(40)

        assert not owner.listens
        assert ["2", "2"] == region.fills()
        assert ["3"] == [event.body.filled_quantity for event in region.told(late=True)]
        nursery.cancel_scope.cancel()


async def test_what_a_successor_never_told_is_told_by_who_comes_back(
    region: Region, autojump_clock: MockClock
):
    """A former owner heard what stood in its successor's gap; owner again, it tells that."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await push(owner, status="partially_filled", filled="2")
        await trio.sleep(1)
        owner.split()
        await trio.sleep(SOON)
        assert other.owns
        at = int(trio.current_time() * 1000)
        filled = order(status="partially_filled", filled="5", time=at)
        await owner.venue.live[-1].push(filled)  # and not to its successor, which dies
        await trio.sleep(1)
        owner.heal()
        await trio.sleep(3)
        await other.kill()
        await trio.sleep(SOON)
        assert owner.owns
        await owner.venue.live[-1].push(filled)
        await trio.sleep(1)

        assert ["2", "3"] == region.fills()
        nursery.cancel_scope.cancel()


async def test_an_owner_that_restarts_goes_on_from_its_own_journal(
    region: Region, autojump_clock: MockClock
):
    """Back within its lease, a gateway keeps its accounts, and tells what it had not told."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await push(owner, status="partially_filled", filled="2")
        owner.split()
        await push(owner, status="partially_filled", filled="3")
        await owner.kill()
        again = region.desk(owner.name)
        again.journal = owner.journal
        again.start(nursery)
        await trio.sleep(SOON)

        assert again.owns
        assert not other.listens
        assert ["2", "1"] == region.fills()
        nursery.cancel_scope.cancel()


async def test_without_the_engine_everything_goes_on(region: Region, autojump_clock: MockClock):
    """While the engine is away the owner journals, and tells all of it when it is back."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        region.shared.down = True
        await trio.sleep(60)
        await push(owner, status="partially_filled", filled="2")
        assert not owner.cluster.status().reachable
        assert [] == region.fills()

        region.shared.down = False
        await trio.sleep(60)

        assert owner.listens
        assert not other.listens
        assert ["2"] == region.fills()
        assert {"live subscribed"} == set(region.streams())
        nursery.cancel_scope.cancel()


async def test_an_engine_that_was_away_makes_nobody_dead(region: Region, autojump_clock: MockClock):
    """Leases that lapsed because nobody could be heard are no reason to take anything over."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        region.shared.down = True
        await trio.sleep(SOON)
        region.shared.down = False
        owner.split()  # the other is the first to come back
        await trio.sleep(2)
        owner.heal()
        await trio.sleep(SOON)

        assert owner.owns
        assert not other.listens
        assert {"live subscribed"} == set(region.streams())
        nursery.cancel_scope.cancel()


async def test_a_standby_that_lacks_the_last_move_is_believed(
    region: Region, autojump_clock: MockClock
):
    """Where the engine forgot who owns the account, one gateway does again, and tells all."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await push(owner, status="partially_filled", filled="2")
        await trio.sleep(1)
        standby = region.shared.copy()
        await other.cluster.pin(ACCOUNT, other.name)
        await trio.sleep(SOON)
        assert other.owns

        region.shared.take_over(standby)
        await trio.sleep(SOON)
        assert owner.owns
        assert not other.listens
        await push(owner, status="partially_filled", filled="5")
        await trio.sleep(1)

        assert ["2", "3"] == region.fills()
        nursery.cancel_scope.cancel()


async def test_a_second_replica_follows_without_a_gap(region: Region, autojump_clock: MockClock):
    """With two replicas the second listens all the time, and its owner's death opens no gap."""
    region.settings = type(region.settings)(engine="nats", url="nats://unused:1", replicas=2)
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        assert other.listens
        await push(owner, status="partially_filled", filled="2")
        await push(other, status="partially_filled", filled="2")
        await trio.sleep(5)
        await owner.kill()
        await push(other, status="partially_filled", filled="3")
        await trio.sleep(SOON)

        assert other.owns
        assert ["2", "1"] == region.fills()
        assert {"live subscribed"} == set(region.streams())
        nursery.cancel_scope.cancel()


async def test_an_account_that_a_reload_took_away_is_given_up(
    region: Region, autojump_clock: MockClock
):
    """A step that was under way at the reload leaves nothing behind, and the gateway lives on."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        for desk in (owner, other):
            await desk.cluster.reconfigure(desk.roster, {})
        await other.roster.add(configured(other.venue, ACCOUNT), standing_by=True)
        await trio.sleep(SOON)

        assert other.roster.names() == []
        assert not owner.listens
        nursery.cancel_scope.cancel()


async def test_own_sinks_learn_how_long_an_account_was_elsewhere(
    region: Region, autojump_clock: MockClock
):
    """Back from another gateway, the gap of one's own sinks is closed, and said to be incomplete.

    The shared log, which has everything, is told none of that.
    """
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        await push(owner, status="partially_filled", filled="2")
        await other.cluster.pin(ACCOUNT, other.name)
        await trio.sleep(SOON)
        await push(other, status="partially_filled", filled="5")
        heard_ns = region.clock.now_ns()
        await trio.sleep(1)
        await other.cluster.pin(ACCOUNT, owner.name)
        await trio.sleep(SOON)

        assert [
            "live subscribed",
            "gap_opened moved",
            "stopped moved",
            "gap_closed moved",
            "live subscribed",
        ] == owner.streams()
        closed = owner.last_gap_closed()
        assert closed.complete is False
        assert closed.until is not None
        assert heard_ns <= to_nanoseconds(closed.until)
        assert {"live subscribed"} == set(region.streams())
        nursery.cancel_scope.cancel()


async def test_own_sinks_learn_of_what_was_missed_through_a_death(
    region: Region, autojump_clock: MockClock
):
    """A gateway that died, and is given its account again later, says so to its own sinks."""
    async with trio.open_nursery() as nursery:
        owner, other = await both(region, nursery)
        owner.journal.hold_commits()
        await owner.kill()
        owner.journal.lose_held()
        await trio.sleep(SOON)
        again = region.desk(owner.name)
        again.journal = owner.journal
        again.start(nursery)
        await trio.sleep(1)
        await other.cluster.pin(ACCOUNT, again.name)
        await trio.sleep(2 * SOON)

        assert again.owns
        assert [
            "live subscribed",
            "gap_opened gateway_down",
            "gap_closed moved",
            "live subscribed",
        ] == again.streams()
        assert again.last_gap_closed().complete is False
        nursery.cancel_scope.cancel()


async def test_a_reload_notices_a_rotated_secret(
    region: Region, autojump_clock: MockClock, tmp_path: Path
):
    """A secret file that was written anew makes another account of it, as without a cluster."""
    secret = tmp_path / "secret"
    secret.write_text("first")
    async with trio.open_nursery() as nursery:
        owner, _ = await both(region, nursery)
        account = msgspec.structs.replace(
            configured(owner.venue, ACCOUNT), settings=Settings(secret=Secret("file", str(secret)))
        )
        accounts = {ACCOUNT: account}
        await owner.cluster.reconfigure(owner.roster, accounts)
        await trio.sleep(SOON)
        sessions = len(owner.venue.sessions)

        unchanged = await owner.cluster.reconfigure(owner.roster, accounts)
        os.utime(secret, (1, 1))
        changed = await owner.cluster.reconfigure(owner.roster, accounts)
        await trio.sleep(SOON)

        assert [ACCOUNT] == unchanged["unchanged"]
        assert [ACCOUNT] == changed["changed"]
        assert sessions + 1 == len(owner.venue.sessions)
        nursery.cancel_scope.cancel()


async def test_a_reload_leaves_a_listener_alone(region: Region, autojump_clock: MockClock):
    """A second replica goes on listening through a reload that does not change its account."""
    region.settings = type(region.settings)(engine="nats", url="nats://unused:1", replicas=2)
    async with trio.open_nursery() as nursery:
        _, other = await both(region, nursery)
        listening = list(other.venue.live)

        await other.cluster.reconfigure(other.roster, {ACCOUNT: configured(other.venue, ACCOUNT)})
        await trio.sleep(1)

        assert listening == list(other.venue.live)
        nursery.cancel_scope.cancel()
