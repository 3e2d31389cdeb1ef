"""One connection, from dialling to its end, in virtual time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from adapters.fmex.auth import sign
from gateway.contracts.told import ToldOrder, ToldUnrecognized
from gateway.errors import (
    ClockSkewed,
    ConnectFailed,
    ConnectionLost,
    HeartbeatMissed,
    LoginRefused,
    RateLimited,
    StreamError,
    SubscriptionRefused,
    VenueUnavailable,
)
from gateway.events.model import StreamReason
from gateway.wire.commons import HostCommons
from tests.adapters.fmex.doubles import (
    API_KEY,
    SECRET,
    Gate,
    LoopClock,
    MemoryRest,
    Outlet,
    Venue,
    confirm_all,
)

Frame = Callable[[str], str]
REFUSED_KEY = (401, {"status": 2020, "msg": "api key invalid"})


@asynccontextmanager
async def live(venue: Venue) -> AsyncIterator[Outlet]:
    """A stream that is live; left, it is cancelled."""
    outlet = Outlet()
    async with trio.open_nursery() as nursery:
        await nursery.start(venue.adapter.run_stream, outlet)
        yield outlet
        nursery.cancel_scope.cancel()


async def end_of(venue: Venue, outlet: Outlet | None = None) -> StreamError:
    """How a stream ends that is left alone."""
    with pytest.raises(StreamError) as raised:
        await venue.adapter.run_stream(outlet or Outlet())
    assert venue.socket.open == 0
    return raised.value


# --- connecting -------------------------------------------------------------


async def test_url_is_signed_afresh_for_the_venues_own_host(autojump_clock: MockClock):
    """Key, time and signature are in the URL; the signed text names the canonical host."""
    venue = Venue()
    async with live(venue):
        pass
    first = venue.socket.query()
    await trio.sleep(60)
    async with live(venue):
        pass
    second = venue.socket.query()

    for query in (first, second):
        stamp = int(query["FC-ACCESS-TIMESTAMP"])
        text = ("GET", "https://api.fmex.com/v2/user/ws", stamp)
        assert query["FC-ACCESS-KEY"] == API_KEY
        assert sign(SECRET, *text) == query["FC-ACCESS-SIGNATURE"]
    assert int(second["FC-ACCESS-TIMESTAMP"]) - int(first["FC-ACCESS-TIMESTAMP"]) == 60_000


@pytest.mark.parametrize("hours", [-1, 1, 87_600])
async def test_wrong_clock_is_corrected_before_signing(autojump_clock: MockClock, hours: int):
    """With our clock an hour or ten years off, the signature carries the venue's time."""
    venue = Venue(skew_ns=hours * 3600 * 10**9)
    async with live(venue):
        off = int(venue.socket.query()["FC-ACCESS-TIMESTAMP"]) - venue.socket.venue_ms()

        assert abs(off) < 1000
        assert pytest.approx(-hours * 3600) == venue.adapter.clock_offset_seconds()


async def test_signature_is_made_after_the_turn_at_the_gate(autojump_clock: MockClock):
    """A queue of minutes does not let the signature grow stale."""
    venue = Venue(gate=Gate(seconds=300))
    async with live(venue):
        stamp = int(venue.socket.query()["FC-ACCESS-TIMESTAMP"])

        assert venue.gate.hosts == ["api.fmex.com"]
        assert abs(stamp - venue.socket.venue_ms()) < 1000


async def test_accounts_at_one_host_ask_for_its_time_once(autojump_clock: MockClock):
    """Of many that connect at once one asks; who connects later knows it from their pings."""
    commons, rest = HostCommons(), MemoryRest(LoopClock(0))
    rest.seconds = 0.5

    async def stay(seconds: float) -> None:
        async with live(Venue(rest=rest, commons=commons)):
            await trio.sleep(seconds)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(stay, 3_600)
        await trio.sleep(3_500)
        await stay(1)

        assert 1 == rest.asked("/v2/public/server-time")


async def test_secrets_of_the_url_are_redacted(autojump_clock: MockClock):
    """Key, secret and signature never show, raw or percent-encoded."""
    venue = Venue()
    async with live(venue):
        signature = venue.socket.query()["FC-ACCESS-SIGNATURE"]
        shown = venue.redactor.redact(f"{venue.socket.urls[-1]} {signature} {SECRET}")

    assert not [each for each in (API_KEY, SECRET, signature) if each in shown]


async def test_old_signatures_are_forgotten(autojump_clock: MockClock):
    """After many reconnects the redactor looks for a handful of signatures."""
    venue = Venue()
    for _ in range(20):
        async with live(venue):
            await trio.sleep(1)
    first = venue.socket.urls[0].partition("FC-ACCESS-SIGNATURE=")[2].partition("&")[0]

    assert first == venue.redactor.redact(first)


async def test_rest_that_is_down_does_not_keep_the_stream_down(autojump_clock: MockClock):
    """Without the venue's time the stream is signed by our own."""
    venue = Venue()
    venue.rest.say("/v2/public/server-time", VenueUnavailable("down"))
    async with live(venue):
        assert venue.socket.open == 1

    venue.rest.seconds = 1e6
    async with live(venue):
        assert venue.socket.open == 1


async def test_a_venue_that_wants_fewer_questions_is_not_asked_for_a_stream(
    autojump_clock: MockClock,
):
    """Told to come back later by REST, the stream is not tried at the same door."""
    venue = Venue()
    venue.rest.say("/v2/public/server-time", RateLimited("429", retry_after_seconds=30))
    error = await end_of(venue)

    assert isinstance(error, RateLimited)
    assert 30 == error.retry_after_seconds
    assert not venue.socket.urls


async def test_clock_is_learned_from_greeting_and_pings(autojump_clock: MockClock):
    """`hello` and the answers to pings tell the time where REST does not."""
    venue = Venue(skew_ns=-7 * 10**9)
    venue.rest.say("/v2/public/server-time", VenueUnavailable("down"))
    async with live(venue):
        await trio.testing.wait_all_tasks_blocked()
        assert venue.adapter.clock_offset_seconds() == 7.0
        venue.clock.skew_ns = 20 * 10**9
        await trio.sleep(16)
        assert venue.adapter.clock_offset_seconds() == -20.0

    await venue.adapter.renew()
    assert venue.adapter.clock_offset_seconds() == -20.0, "other accounts go by it meanwhile"
    venue.clock.skew_ns = 5 * 10**9
    async with live(venue):
        await trio.testing.wait_all_tasks_blocked()
        assert venue.adapter.clock_offset_seconds() == -5.0


# --- subscribing ------------------------------------------------------------


@pytest.mark.parametrize(
    "confirm",
    [
        None,
        confirm_all,
        lambda asked, _: [{"id": "other", "type": "topics", "topics": asked}],
        lambda asked, _: [{"type": "topics", "topics": [each.upper()]} for each in asked],
        lambda asked, _: [{"type": "Topics", "topics": ["account", "account", *asked]}],
    ],
    ids=["those asked for", "all", "foreign id", "one by one, upper case", "more than asked"],
)
@pytest.mark.parametrize("greets", [True, False])
async def test_live_once_every_topic_is_confirmed(
    autojump_clock: MockClock, confirm: Any, greets: bool
):
    """However the venue words its confirmation, the stream is live after the last one."""
    venue = Venue(symbols=tuple(f"coin{number}_p" for number in range(30)))
    venue.socket.greets = greets
    if confirm is not None:
        venue.socket.confirm = confirm
    async with live(venue) as outlet:
        commands = [each for each in venue.socket.commands if each["cmd"] == "sub"]

        assert [len(command["args"]) for command in commands] == [20, 20, 20, 1]
        assert outlet.told == []


async def test_streams_choose_the_topics(autojump_clock: MockClock):
    """Only what the configuration asks for is subscribed."""
    venue = Venue(streams=("orders",))
    async with live(venue):
        assert [command["args"] for command in venue.socket.commands] == [["order.btcusd_p"]]


async def test_not_live_while_a_topic_is_unconfirmed(autojump_clock: MockClock):
    """A stream that never hears of one of its topics is refused, not live."""
    venue = Venue()
    venue.socket.confirm = lambda asked, _: [{"type": "topics", "topics": asked[:2]}]
    error = await end_of(venue)

    assert isinstance(error, SubscriptionRefused)
    assert "position.btcusd_p" in str(error)
    assert "account" not in str(error)


@pytest.mark.parametrize("answer", [{"status": 41002, "msg": "invalid sub topic, account"}, None])
async def test_refusal_with_a_good_key_is_about_the_topic(autojump_clock: MockClock, answer: Any):
    """When REST accepts the key, a refused or unconfirmed topic is no login."""
    venue = Venue()
    venue.socket.confirm = lambda *_: [answer] if answer else []

    assert SubscriptionRefused is type(await end_of(venue))


@pytest.mark.parametrize(
    "mood",
    [
        lambda socket: setattr(socket, "confirm", lambda *_: []),
        lambda socket: setattr(socket, "confirm", lambda *_: [{"status": 41002, "msg": "x"}]),
        lambda socket: setattr(socket, "confirm", lambda *_: socket.hang_up() or []),
        lambda socket: setattr(socket, "confirm", lambda *_: [{"status": 2020, "msg": "x"}]),
        lambda socket: setattr(socket, "refuse", ConnectFailed("upgrade", "401", status=401)),
    ],
    ids=["silently anonymous", "topic refused", "open, then closed", "error frame", "HTTP 401"],
)
async def test_refused_login_in_every_form(autojump_clock: MockClock, mood: Callable[[Any], None]):
    """In whichever way the venue refuses a bad key, the account is told that it is the key."""
    venue = Venue()
    venue.rest.say("/v3/contracts/accounts", REFUSED_KEY)
    mood(venue.socket)
    error = await end_of(venue)

    assert isinstance(error, LoginRefused)
    assert "key" in str(error)


async def test_close_before_confirmation_with_a_good_key_is_a_loss(autojump_clock: MockClock):
    """A venue that hangs up on a good key is a lost connection."""
    venue = Venue()
    venue.socket.confirm = lambda *_: venue.socket.hang_up() or []

    assert ConnectionLost is type(await end_of(venue))


async def test_close_while_rest_is_down_is_a_loss(autojump_clock: MockClock):
    """Where REST cannot say either, the login is not to blame."""
    venue = Venue()
    venue.rest.say("/v3/contracts/accounts", VenueUnavailable("down"))
    venue.socket.confirm = lambda *_: venue.socket.hang_up() or []

    assert ConnectionLost is type(await end_of(venue))


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (ConnectFailed("upgrade", "x", status=403, body="<html>"), LoginRefused),
        (ConnectFailed("upgrade", "x", status=401, body='{"status":6004}'), ClockSkewed),
        (ConnectFailed("upgrade", "x", status=426), RateLimited),
        (RateLimited("upgrade: 429", retry_after_seconds=30), RateLimited),
        (ConnectFailed("upgrade", "x", status=502, body="<html>"), ConnectFailed),
        (ConnectFailed("tls", "certificate has expired"), ConnectFailed),
    ],
)
async def test_refused_connection(
    autojump_clock: MockClock, refusal: StreamError, kind: type[StreamError]
):
    """A refused upgrade is judged by its body, then by its status."""
    venue = Venue()
    venue.socket.refuse = refusal

    assert kind is type(await end_of(venue))


# --- listening --------------------------------------------------------------


async def test_pushes_are_handed_over_in_order(autojump_clock: MockClock, frame: Frame):
    """What the venue tells reaches the outlet, in order, with nothing else between."""
    venue = Venue()
    async with live(venue) as outlet:
        venue.socket.push(frame("order"), frame("account"))
        venue.socket.push(b"\x00", frame("position"), frame("ticker"))
        await trio.testing.wait_all_tasks_blocked()

        kinds = [type(each).__name__ for each in outlet.told]
        assert kinds == [
            "ToldOrder", "ToldBalance", "ToldUnrecognized", "ToldPosition", "ToldUnrecognized",
        ]  # fmt: skip
        assert outlet.frames == 7


async def test_pushes_before_the_confirmation_are_kept(autojump_clock: MockClock, frame: Frame):
    """A push that overtakes its confirmation is not lost."""
    venue = Venue()
    venue.socket.confirm = lambda asked, _: [
        frame("order"),
        {"type": "topics", "topics": asked},
    ]
    async with live(venue) as outlet:
        await trio.testing.wait_all_tasks_blocked()

        assert len(outlet.told) == 1


async def test_quiet_account_stays_live_for_a_day(autojump_clock: MockClock):
    """Silence is normal: the answers to our pings prove life, every 15 s."""
    venue = Venue()
    async with live(venue) as outlet:
        await trio.sleep(24 * 3600 + 1)

        assert outlet.proofs == 24 * 240
        assert venue.socket.open == 1
        assert outlet.told == []


async def test_dead_socket_is_noticed_within_thirty_seconds(autojump_clock: MockClock):
    """A venue that answers nothing any more ends the stream."""
    venue = Venue()
    venue.socket.answers_pings = False
    started = trio.current_time()
    error = await end_of(venue)

    assert isinstance(error, HeartbeatMissed)
    assert trio.current_time() - started <= 31


async def test_pushes_show_that_the_socket_lives(autojump_clock: MockClock, frame: Frame):
    """While pushes arrive, missing answers to pings are no death, and no proof either."""
    venue = Venue()
    venue.socket.answers_pings = False
    async with live(venue) as outlet:
        for _ in range(12):
            await trio.sleep(10)
            venue.socket.push(frame("account"))

        assert outlet.proofs == 0


async def test_full_journal_is_no_dead_venue(autojump_clock: MockClock, frame: Frame):
    """While the house makes us wait, unread answers do not count as silence."""
    venue = Venue()
    async with live(venue) as outlet:
        outlet.blocked = trio.Event()
        venue.socket.push(frame("order"))
        await trio.sleep(3600)
        outlet.blocked.set()
        await trio.sleep(60)

        assert isinstance(outlet.told[0], ToldOrder)
        assert venue.socket.open == 1


async def test_lost_connection_ends_the_stream(autojump_clock: MockClock, frame: Frame):
    """What came before the end is handed over; then the loss is told, alone."""
    venue = Venue()
    outlet = Outlet()
    errors: list[StreamError] = []
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            errors.append(await end_of(venue, outlet))

        nursery.start_soon(run)
        await trio.sleep(1)
        venue.socket.push(frame("order"))
        venue.socket.hang_up()

    [error] = errors
    assert (ConnectionLost, StreamReason.CONNECTION_LOST) == (type(error), error.reason)
    assert len(outlet.told) == 1


async def test_refusal_amid_pushes_hands_over_all_of_them(autojump_clock: MockClock, frame: Frame):
    """Frames around an error frame are kept; then the error ends the stream."""
    venue = Venue()
    outlet = Outlet()
    errors: list[StreamError] = []
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            errors.append(await end_of(venue, outlet))

        nursery.start_soon(run)
        await trio.sleep(1)
        venue.socket.push(frame("order"), {"status": 2136, "msg": "expired"}, frame("account"))

    assert [LoginRefused] == [type(error) for error in errors]
    assert len(outlet.told) == 2


async def test_complaint_of_a_live_stream_is_kept(autojump_clock: MockClock):
    """An error that answers none of our subscriptions does not end a live stream."""
    venue = Venue()
    async with live(venue) as outlet:
        venue.socket.push('{"status":1002,"msg":"system busy"}')
        await trio.sleep(60)

        complaint = ToldUnrecognized(
            reason="complaint", frame='{"status":1002,"msg":"system busy"}'
        )
        assert [complaint] == outlet.told
        assert venue.socket.open == 1


async def test_two_connections_side_by_side(autojump_clock: MockClock, frame: Frame):
    """Two streams of one adapter do not know of each other."""
    venue = Venue()
    async with live(venue), live(venue):
        assert venue.socket.open == 2


# --- the rest ---------------------------------------------------------------


async def test_probe_finds_nothing_wrong(autojump_clock: MockClock):
    """A good account passes, with nothing subscribed."""
    venue = Venue(skew_ns=-90 * 10**9)
    findings = await venue.adapter.probe()

    assert [(finding.what, finding.ok) for finding in findings] == [
        ("clock", True),
        ("credentials", True),
        ("stream", True),
    ]
    assert "+90.000 s" in findings[0].detail
    assert venue.socket.commands == []


async def test_probe_names_what_is_wrong(autojump_clock: MockClock):
    """Each finding stands by itself, with words to act on."""
    venue = Venue()
    venue.rest.say("/v2/public/server-time", VenueUnavailable("no such name"))
    venue.rest.say("/v3/contracts/accounts", REFUSED_KEY)
    venue.socket.refuse = ConnectFailed("tls", "certificate has expired")
    findings = await venue.adapter.probe()

    assert [(finding.what, finding.ok) for finding in findings] == [
        ("clock", False),
        ("credentials", False),
        ("tls", False),
    ]
    venue.socket.refuse = ConnectFailed("upgrade", "401", status=401)
    assert (await venue.adapter.probe())[2].what == "stream"


async def test_small_answers(autojump_clock: MockClock):
    """A check every five minutes by default, no stream key, and an end."""
    venue = Venue()

    assert (venue.adapter.check_seconds(), venue.adapter.key_expires_ns()) == (300.0, None)
    await venue.adapter.aclose()
