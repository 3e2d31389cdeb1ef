"""One account's task: connections kept, gaps declared and read."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.accounts import happenings
from gateway.contracts.adapter import Purpose
from gateway.contracts.values import Secret
from gateway.errors import (
    ClockSkewed,
    ConnectFailed,
    ConnectionLost,
    HeartbeatMissed,
    KeyExpired,
    LoginRefused,
    RateLimited,
    VenueUnavailable,
)
from gateway.events.model import StreamReason
from gateway.journal import BlockReason
from tests.doubles import venue as venue_double
from tests.doubles.reports import balance, order
from tests.doubles.venue import ScriptedVenue, configured
from tests.gateway.accounts.conftest import Household

DAY = 24 * 3600


@pytest.fixture
def venue() -> ScriptedVenue:
    """A made-up venue."""
    return ScriptedVenue()


async def test_the_first_start_reads_a_snapshot(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """Live, then the state by REST with origin snapshot, and no gap."""
    venue.told_by_rest = [balance(time=None), order(status="new")]
    async with household.running(configured(venue)):
        await trio.sleep(1)

        assert household.kinds() == ["live", "balance snapshot", "order snapshot"]
        assert [plan.purpose for plan in venue.plans] == [Purpose.SNAPSHOT]


async def test_a_lost_connection_is_a_gap_that_rest_fills(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """gap_opened, live, finds, gap_closed: with bounds, count and proof."""
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await trio.sleep(10)
        await session.push(order(status="new"))
        await trio.sleep(5)
        venue.told_by_rest = [order(status="filled", filled="10", time=12_000)]
        session.fail(HeartbeatMissed("30 s"))
        await trio.sleep(5)

    words = household.kinds()
    begin = words.index("gap_opened")
    assert words[begin : begin + 5] == [
        "gap_opened", "live", "order recovery", "fill recovery", "gap_closed",
    ]  # fmt: skip
    opened, closed = household.streams()[1], household.streams()[3]
    assert (opened.reason, closed.since) == ("heartbeat_missed", opened.since)
    assert opened.since == household.events()[1].received_time
    assert (closed.complete, closed.recovered) == (True, 2)


async def test_a_replaced_connection_does_not_count_as_live(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """Once its successor took over, the loss of that one alone is a gap."""
    async with household.running(configured(venue)) as roster:
        await venue.wait_live(1)
        await trio.sleep(10)
        roster.reconnect("a")
        successor = await venue.wait_live(2)
        await trio.sleep(10)

        assert roster.status()["a"].connections == 1
        successor.fail(ConnectionLost("cut"))
        await trio.sleep(5)

    assert "gap_opened connection_lost" in household.said()


async def test_a_stopped_account_has_no_connection(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """While the journal is blocked, status shows the sockets as closed."""
    async with household.running(configured(venue)) as roster:
        await venue.wait_live(1)
        household.journal.set_blocked(BlockReason.DISK_FULL)
        await trio.sleep(1)

        assert roster.status()["a"].connections == 0
        assert roster.status()["a"].state == "stopped"


async def test_an_orderly_stop_declares_a_gap_and_the_next_start_closes_it(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """A stop writes gap_opened and stopped; the next start goes on from there."""
    async with household.running(configured(venue)):
        await trio.sleep(20)
    async with household.running(configured(ScriptedVenue())):
        await trio.sleep(5)
        said = household.said()

    assert said == [
        "live subscribed",
        "gap_opened stopped",
        "stopped stopped",
        "live subscribed",
        "gap_closed recovered",
    ]


async def test_a_crash_is_a_gap_from_the_last_persisted_proof(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """Without a goodbye the next start opens the gap itself."""
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        for _ in range(25):
            session.outlet.alive()
            await trio.sleep(1)
        rows_at_the_crash = dict(household.journal.book)
    household.journal.book = rows_at_the_crash
    async with household.running(configured(ScriptedVenue())):
        await trio.sleep(5)

    gap = household.streams()[3]
    assert (gap.status, gap.reason) == ("gap_opened", "gateway_down")


async def test_a_quiet_account_stays_connected_for_a_day(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """24 h without a push: no reconnect, no gap, no alarm; checks agree."""
    venue.check_every = 300
    venue.told_by_rest = [balance(time=None)]
    async with household.running(configured(venue)) as roster:
        await trio.sleep(DAY)

        assert len(venue.attempts) == 1
        assert household.kinds() == ["live", "balance snapshot"]
        assert roster.status()["a"].reconnects == 0
        assert len(venue.plans) > 250


async def test_a_check_that_disagrees_declares_and_heals(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """REST tells what no push told: a gap since the last agreement, finds, a new connection."""
    venue.check_every = 300
    async with household.running(configured(venue)):
        await trio.sleep(310)
        venue.told_by_rest = [order(status="new", time=400_000)]
        await trio.sleep(320)

        assert household.said() == [
            "live subscribed",
            "gap_opened check_disagreed",
            "live subscribed",
            "gap_closed recovered",
        ]
        assert "order recovery" in household.kinds()
        assert [session.ended for session in venue.sessions] == [True, False]


async def test_what_a_push_tells_within_the_grace_is_no_disagreement(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """A push that arrives while the check reads is not missing."""
    venue.check_every = 300
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        late = order(status="new", time=299_000)
        await trio.sleep(299)
        venue.told_by_rest = [late]
        await trio.sleep(1.1)
        await trio.sleep(1)
        await session.push(late)
        await trio.sleep(20)

        assert household.said() == ["live subscribed"]


async def test_a_reading_that_fails_is_tried_until_it_succeeds(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """While REST fails the gap stays open; its finds come when it answers."""
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await trio.sleep(1)
        venue.rest_error = VenueUnavailable("HTTP 500")
        session.fail(ConnectionLost("reset"))
        await trio.sleep(120)
        assert "gap_closed" not in household.kinds()
        venue.rest_error = None
        await trio.sleep(60)

        assert household.said()[-1] == "gap_closed recovered"


async def test_after_ten_minutes_without_rest_the_gap_is_given_up_and_still_read(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """complete: false after 10 min; a later success closes it once more, complete."""
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await trio.sleep(1)
        venue.rest_error = VenueUnavailable("HTTP 500")
        session.fail(ConnectionLost("reset"))
        await trio.sleep(590)
        assert household.said()[-1] == "live subscribed"
        await trio.sleep(20)
        assert household.said()[-1] == "gap_closed rest_unavailable"
        venue.rest_error = None
        await trio.sleep(70)

    closed = [each for each in household.streams() if each.status == "gap_closed"]
    assert [each.complete for each in closed] == [False, True]


async def test_what_rest_cannot_prove_is_said(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """A reading that the adapter calls incomplete closes the gap with complete: false."""
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await trio.sleep(1)
        venue.complete = False
        session.fail(ConnectionLost("reset"))
        await trio.sleep(5)

        closed = household.streams()[-1]
        assert (closed.reason, closed.complete, closed.detail) == (
            "partly_unreadable", False, "not all",
        )  # fmt: skip


async def test_a_hanging_reading_is_stopped_when_the_stream_is_lost(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """Recovery without a live stream proves nothing: it starts anew with the next one."""
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await trio.sleep(1)
        venue.rest_hangs = True
        session.fail(ConnectionLost("one"))
        second = await venue.wait_live(2)
        await trio.sleep(1)
        venue.rest_hangs = False
        second.fail(ConnectionLost("two"))
        await trio.sleep(5)

        assert household.said().count("gap_opened connection_lost") == 1
        assert household.said()[-1] == "gap_closed recovered"


async def test_a_refused_login_suspends_and_climbs_the_ladder(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """At most one try per 5 minutes, one `suspended` event, and life when the venue agrees."""
    venue.refusals.extend(LoginRefused("10022: not from this address") for _ in range(3))
    async with household.running(configured(venue)) as roster:
        await trio.sleep(60)
        assert roster.status()["a"].state == "suspended"
        await trio.sleep(2 * 3600)

        gaps = [b - a for a, b in zip(venue.attempts, venue.attempts[1:], strict=False)]
        assert min(gaps) >= 300
        assert household.said() == ["suspended login_refused", "live subscribed"]


async def test_a_changed_secret_file_ends_the_suspension(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock, tmp_path: Path
):
    """Rotating the file is a person's act: tried within seconds."""
    secret = tmp_path / "secret"
    secret.write_text("old")
    account = configured(venue)
    account = venue_double.ConfiguredAccount(
        name="a",
        spec=account.spec,
        options=account.options,
        settings=venue_double.Settings(secret=Secret("file", str(secret))),
    )
    venue.refusals.append(LoginRefused("no"))
    async with household.running(account):
        await trio.sleep(30)
        assert len(venue.attempts) == 1
        secret.unlink()
        await trio.sleep(10)

        assert household.said()[-1] == "live subscribed"


async def test_key_and_clock_trouble_is_renewed_at_once(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """An expired key or a wrong clock is renewed and tried again without a pause."""
    venue.refusals.extend([KeyExpired("void")])
    async with household.running(configured(venue)):
        await trio.sleep(1)
        assert (venue.renewals, len(venue.live)) == (1, 1)
        venue.refusals.extend([ClockSkewed("10600")])
        venue.sessions[-1].fail(ConnectionLost("reset"))
        await trio.sleep(1)

        assert (venue.renewals, len(venue.live)) == (2, 1)


async def test_a_venue_that_asks_for_time_gets_it(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """Retry-After is obeyed to the second."""
    venue.refusals.append(RateLimited("429", retry_after_seconds=42))
    async with household.running(configured(venue)):
        await trio.sleep(60)

        assert venue.attempts[1] - venue.attempts[0] == pytest.approx(42, abs=0.1)


async def test_trouble_that_lasts_is_told_once(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """An hour without a connection is one warning, and one more when its cause changes."""
    before, repeats = happenings.LOST.count, happenings.STILL_DOWN.count
    venue.refusals.extend(ConnectFailed("dns", "no such name") for _ in range(20))
    venue.refusals.extend(ConnectFailed("tls", "expired") for _ in range(20))
    async with household.running(configured(venue)):
        await venue.wait_live(1)
        venue.sessions[-1].fail(ConnectFailed("tls", "expired"))
        await trio.sleep(1)

    assert before + 3 == happenings.LOST.count
    assert repeats + 38 == happenings.STILL_DOWN.count


async def test_a_stream_that_never_comes_up_is_given_up(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """Silence at the start ends an attempt after its limit, and the next one begins."""
    venue.silent = True
    async with household.running(configured(venue)):
        await trio.sleep(130)

        assert len(venue.attempts) >= 2


async def test_a_defect_in_one_account_leaves_its_neighbour_alone(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """One adapter crashes again and again; the other account's connection never moves."""
    other = ScriptedVenue()
    venue.refusals.extend(ZeroDivisionError("defect") for _ in range(20))
    async with household.running(configured(venue), configured(other, "b")):
        await trio.sleep(300)

        assert len(other.attempts) == 1
        assert household.said("b") == ["live subscribed"]


async def test_reconnect_makes_before_it_breaks(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """No gap: the old connection is read until what was under way has arrived."""
    async with household.running(configured(venue)) as roster:
        await venue.wait_live(1)
        roster.reconnect("a")
        await venue.wait_live(2)
        await trio.sleep(1)
        await venue.sessions[0].push(order())
        await trio.sleep(5)

        assert [session.ended for session in venue.sessions] == [True, False]
        assert household.kinds() == ["live", "order push"]


async def test_a_retiring_connection_lives_until_its_successor_does(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """While the successor is refused the old connection goes on and still delivers."""
    async with household.running(configured(venue)):
        session = await venue.wait_live(1)
        await trio.sleep(1)
        venue.refusals.extend(ConnectionLost("refused") for _ in range(3))
        session.outlet.retire(StreamReason.KEY_EXPIRED, "the key will lapse")
        await trio.sleep(0.1)
        await session.push(order())
        await trio.sleep(30)

        assert [each.ended for each in venue.sessions] == [True, False]
        assert household.kinds() == ["live", "order push"]


async def test_two_connections_cover_for_each_other(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """Losing one of two opens no gap; what both tell is told once."""
    async with household.running(configured(venue, connections=2)):
        first = await venue.wait_live(1)
        second = await venue.wait_live(2)
        await trio.sleep(1)
        await first.push(order())
        await second.push(order())
        first.fail(ConnectionLost("reset"))
        await trio.sleep(5)

        assert household.kinds() == ["live", "order push"]
        assert len(venue.live) == 2


async def test_recover_on_demand_reads_rest(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """`gateway account recover` declares a gap since the last agreement and closes it."""
    async with household.running(configured(venue)) as roster:
        await trio.sleep(5)
        roster.recover("a")
        await trio.sleep(5)

        assert household.said()[1:] == ["gap_opened requested", "gap_closed recovered"]


async def test_sources_pause_while_the_journal_cannot_write(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """Sockets are closed, a gap is declared, and all comes back by itself."""
    async with household.running(configured(venue)):
        await trio.sleep(5)
        household.journal.set_blocked(BlockReason.DISK_FULL)
        await trio.sleep(5)
        assert venue.live == []
        household.journal.set_blocked(None)
        await trio.sleep(5)

        assert household.said()[1:] == [
            "gap_opened disk_full",
            "live subscribed",
            "gap_closed recovered",
        ]


async def test_reports_wait_for_room_in_the_journal(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """A full queue holds the reader back; nothing is lost and the book does not run ahead."""
    async with household.running(configured(venue)), trio.open_nursery() as nursery:
        session = await venue.wait_live(1)
        await trio.sleep(1)
        household.journal.set_room(False)
        nursery.start_soon(session.push, order())
        await wait_all_tasks_blocked()
        assert household.kinds() == ["live"]
        household.journal.set_room(True)
        await trio.sleep(1)

        assert household.kinds() == ["live", "order push"]


async def test_a_reload_touches_only_what_changed(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """An unchanged account keeps its socket; a removed one says goodbye; a new one starts."""
    gone, new = ScriptedVenue(), ScriptedVenue()
    kept = configured(venue)
    async with household.running(kept, configured(gone, "b")) as roster:
        await trio.sleep(5)
        changes = await roster.reconfigure({"a": kept, "c": configured(new, "c")})
        await trio.sleep(5)

        assert changes == {
            "added": ["c"], "removed": ["b"], "changed": [], "unchanged": ["a"],
        }  # fmt: skip
        assert len(venue.attempts) == 1
        assert household.said("b")[-2:] == ["gap_opened stopped", "stopped stopped"]
        assert household.said("c") == ["live subscribed"]


async def test_a_sign_of_life_is_given_while_live(
    household: Household, venue: ScriptedVenue, autojump_clock: MockClock
):
    """With a heartbeat configured, each live account says so."""
    async with household.running(configured(venue), heartbeat_seconds=60):
        await trio.sleep(185)

        assert household.said().count("alive heartbeat") == 3


async def test_limits_on_requests_outlive_the_account(
    household: Household, autojump_clock: MockClock
):
    """An account that a reload restarts, and its neighbours, queue where it queued before."""
    before, after, neighbour = ScriptedVenue(), ScriptedVenue(), ScriptedVenue()
    accounts = [configured(before, "a"), configured(neighbour, "b")]
    async with household.running(*accounts) as roster:
        await before.wait_live(1)
        changed = configured(after, "a", connections=2)
        await roster.reconfigure({"a": changed, "b": accounts[1]})
        await after.wait_live(1)

    gates = {each.context.request_gate for each in (before, after, neighbour)}
    assert 1 == len(gates)
