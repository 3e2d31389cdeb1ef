"""Which silence is a gap."""

from collections.abc import Sequence

import msgspec

from gateway.accounts.coverage import Coverage
from gateway.accounts.rows import BookChange
from gateway.events.model import Event, Stream, StreamReason, StreamStatus
from gateway.events.times import from_nanoseconds

SECOND = 1_000_000_000
START = 1_600_000_000 * SECOND


class ManualClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0

    def now_ns(self) -> int:
        """`START` and the seconds since."""
        return START + self.seconds * SECOND


class Scene:
    """A coverage, its clock, and what it recorded."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.rows: dict[tuple[str, str], bytes] = {}
        self.told: list[Stream] = []
        self.ids: list[str] = []
        self.restart()

    def restart(self) -> None:
        """Only the rows survive."""
        self.coverage = Coverage("a", "v", clock=self.clock, record=self._record)
        self.coverage.load(self.rows)

    def _record(self, events: Sequence[Event], changes: Sequence[BookChange]) -> None:
        for event in events:
            assert isinstance(event.body, Stream)
            self.told.append(event.body)
            self.ids.append(event.id)
        for _, section, key, value in changes:
            if value is None:
                self.rows.pop((section, key), None)
            else:
                self.rows[section, key] = value

    def at(self, seconds: int) -> Coverage:
        """Set the clock."""
        self.clock.seconds = seconds
        return self.coverage

    def words(self) -> list[str]:
        """Status and reason of everything said."""
        return [f"{each.status} {each.reason}" for each in self.told]


def stamp(seconds: int) -> str:
    """The timestamp of a second of the scene."""
    return from_nanoseconds(START + seconds * SECOND)


def live_scene() -> Scene:
    """An account that is live since second 0, with its snapshot read."""
    scene = Scene()
    scene.at(0).came_up(1)
    scene.coverage.begin()
    return scene


def test_the_first_start_opens_no_gap():
    """Before anything was promised there is nothing to have missed."""
    assert live_scene().words() == ["live subscribed"]


def test_a_gap_begins_at_the_last_proof_of_life():
    """`since` is the last frame or heartbeat, not the moment the loss was noticed."""
    scene = live_scene()
    scene.coverage.prove(START + 7 * SECOND)
    scene.at(37).went_down(1, StreamReason.HEARTBEAT_MISSED, "30 s")

    assert scene.told[-1] == Stream(
        status="gap_opened", reason="heartbeat_missed", since=stamp(7), detail="30 s"
    )


def test_a_clock_set_back_leaves_no_gap_in_the_future():
    """The newest proof of life counts, though an older one has a later stamp."""
    scene = live_scene()
    scene.at(3_600).prove(START + 3_600 * SECOND)
    scene.at(10).prove(START + 10 * SECOND)
    scene.at(20).went_down(1, StreamReason.CONNECTION_LOST, "reset")

    assert scene.told[-1].since == stamp(10)


def test_a_healed_gap_is_closed_with_its_bounds():
    """`until` is when a stream was live again; count and proof are told."""
    scene = live_scene()
    scene.at(10).went_down(1, StreamReason.CONNECTION_LOST, "reset")
    scene.at(12).came_up(2)
    scene.at(14).close_gap(StreamReason.RECOVERED, complete=True, recovered=3, detail=None)

    assert scene.words()[1:] == [
        "gap_opened connection_lost",
        "live subscribed",
        "gap_closed recovered",
    ]
    assert scene.told[-1] == Stream(
        status="gap_closed",
        reason="recovered",
        since=stamp(0),
        until=stamp(12),
        recovered=3,
        complete=True,
    )
    assert scene.coverage.gap is None


def test_losing_one_of_two_connections_opens_no_gap():
    """A gap opens with the last live connection, and not before."""
    scene = live_scene()
    scene.at(1).came_up(2)
    scene.at(5).went_down(1, StreamReason.CONNECTION_LOST, "reset")

    assert scene.words() == ["live subscribed"]

    scene.at(6).went_down(2, StreamReason.CONNECTION_LOST, "reset")
    assert scene.words()[-1] == "gap_opened connection_lost"


def test_a_gap_that_is_interrupted_stays_one_gap():
    """Losing the stream again during recovery extends the gap instead of opening another."""
    scene = live_scene()
    scene.at(10).went_down(1, StreamReason.CONNECTION_LOST, "reset")
    scene.at(12).came_up(2)
    scene.at(13).went_down(2, StreamReason.CONNECTION_LOST, "again")
    scene.at(20).came_up(3)
    scene.coverage.close_gap(StreamReason.RECOVERED, complete=True, recovered=0, detail=None)

    assert scene.words().count("gap_opened connection_lost") == 1
    assert (scene.told[-1].since, scene.told[-1].until) == (stamp(0), stamp(20))


def test_a_crash_leaves_a_gap_from_the_last_persisted_proof():
    """The next start declares what the dead gateway could not."""
    scene = live_scene()
    scene.coverage.prove(START + 8 * SECOND)
    row = scene.coverage.life_to_save()
    assert row is not None
    assert row[3] is not None
    scene.rows[row[1], row[2]] = row[3]
    scene.clock.seconds = 100
    scene.restart()

    assert scene.words()[-1] == "gap_opened gateway_down"
    assert scene.told[-1].since == stamp(8)


def test_an_open_gap_survives_a_restart():
    """A restart neither forgets an open gap nor opens it a second time."""
    scene = live_scene()
    scene.at(10).went_down(1, StreamReason.CONNECTION_LOST, "reset")
    scene.restart()
    scene.at(60).came_up(1)

    assert scene.words()[1:] == ["gap_opened connection_lost", "live subscribed"]
    assert scene.coverage.gap is not None
    assert scene.coverage.gap.since_ns == START


def test_a_given_up_gap_is_closed_once_more():
    """While REST fails the gap is closed as incomplete; a later success closes it as complete."""
    scene = live_scene()
    scene.at(10).went_down(1, StreamReason.CONNECTION_LOST, "reset")
    scene.at(11).came_up(2)
    scene.coverage.close_gap(
        StreamReason.REST_UNAVAILABLE, complete=False, recovered=0, detail=None
    )
    assert scene.coverage.gap is not None

    scene.coverage.close_gap(StreamReason.RECOVERED, complete=True, recovered=2, detail=None)

    assert [each.complete for each in scene.told if each.status == "gap_closed"] == [False, True]
    assert scene.coverage.gap is None


def test_a_new_gap_takes_a_given_up_one_along():
    """What was never read is read with the next gap: it begins where the first did."""
    scene = live_scene()
    scene.at(10).went_down(1, StreamReason.CONNECTION_LOST, "reset")
    scene.at(11).came_up(2)
    scene.coverage.close_gap(
        StreamReason.REST_UNAVAILABLE, complete=False, recovered=0, detail=None
    )
    scene.at(700).prove(START + 700 * SECOND)
    scene.at(701).went_down(2, StreamReason.CONNECTION_LOST, "reset")

    assert scene.told[-1].since == stamp(0)


def test_a_gap_on_a_live_socket_ends_now():
    """A dead subscription is declared while the socket lives: from the last agreement until now."""
    scene = live_scene()
    scene.at(300).open_gap(StreamReason.CHECK_DISAGREED, since_ns=START + 100 * SECOND)

    assert scene.coverage.gap is not None
    assert scene.coverage.gap.until_ns == START + 300 * SECOND
    assert scene.told[-1].since == stamp(100)


def test_a_gap_in_doubt_of_live_connections_lasts_until_another_is_live():
    """The dead subscription goes on missing pushes until its successor is subscribed."""
    scene = live_scene()
    scene.at(300).open_gap(
        StreamReason.CHECK_DISAGREED, since_ns=START + 100 * SECOND, in_doubt=True
    )
    assert scene.coverage.gap is not None
    assert scene.coverage.gap.until_ns is None

    scene.at(302).came_up(2)

    assert scene.words()[-1] == "live subscribed"
    assert scene.coverage.gap.until_ns == START + 302 * SECOND


def test_every_stream_event_has_an_id_of_its_own():
    """The persisted counter keeps ids apart across restarts, even with equal bounds."""
    scene = live_scene()
    for _ in range(3):
        scene.coverage.say(StreamStatus.KEY_RENEWED, StreamReason.REFRESHED)
        scene.restart()
        scene.coverage.close_gap(StreamReason.RECOVERED, complete=True, recovered=0, detail=None)

    assert len(set(scene.ids)) == len(scene.ids)


def test_rows_survive_a_round_trip():
    """What is persisted is read back as it was."""
    scene = live_scene()
    scene.at(10).went_down(1, StreamReason.CONNECTION_LOST, "reset")
    before = scene.coverage.gap
    scene.restart()

    assert msgspec.structs.asdict(before) == msgspec.structs.asdict(scene.coverage.gap)  # type: ignore[arg-type] # not None
