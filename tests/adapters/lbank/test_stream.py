"""One connection: what counts as live, what ends it, and what passes through."""

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

from adapters.lbank.settings import Endpoints
from gateway.contracts.told import ToldOrder, ToldUnrecognized
from gateway.errors import (
    ConnectionLost,
    HeartbeatMissed,
    KeyExpired,
    LoginRefused,
    RateLimited,
    SubscriptionRefused,
    VenueUnavailable,
)
from tests.adapters.lbank.pretend import (
    API_KEY,
    MemoryOutlet,
    PretendLBank,
    Socket,
    adapter_on,
    live_then,
    settings_of,
)

ORDER = (
    '{"orderUpdate":{"uuid":"o1","orderStatus":0,"updateTime":1561704577786},'
    '"pair":"eth_btc","type":"orderUpdate"}'
)


def error_frame(message: str) -> dict:
    """An error as LBank words it."""
    return {"SERVER": "V2", "message": message, "status": "error"}


async def test_live_after_pong_and_two_quiet_seconds(
    venue: PretendLBank, autojump_clock: MockClock
):
    """Started means: subscribed, our ping answered, no error frame for two seconds."""
    adapter = adapter_on(venue)
    outlet = MemoryOutlet()

    async with trio.open_nursery() as nursery:
        before = trio.current_time()
        await nursery.start(adapter.run_stream, outlet)
        assert 2 <= trio.current_time() - before < 3
        nursery.cancel_scope.cancel()

    assert outlet.proofs >= 1


@pytest.mark.parametrize(
    ("settings", "streams", "expected"),
    [
        ({}, (), [("orderUpdate", "all"), ("assetUpdate", None)]),
        (
            {"pairs": ("eth_btc", "btc_usdt")},
            ("orders",),
            [("orderUpdate", "eth_btc"), ("orderUpdate", "btc_usdt")],
        ),
        ({"pairs": ("eth_btc",)}, ("balances",), [("assetUpdate", None)]),
    ],
)
async def test_subscriptions(
    venue: PretendLBank,
    autojump_clock: MockClock,
    settings: dict[str, Any],
    streams: tuple[str, ...],
    expected: Any,
):
    """One frame a pair or one for all pairs, and one for balances, each with the key."""
    adapter = adapter_on(venue, settings_of(**settings), streams=streams)

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, MemoryOutlet())
        sent = [f for f in venue.sockets[0].sent if f["action"] == "subscribe"]
        nursery.cancel_scope.cancel()

    assert expected == [(f["subscribe"], f.get("pair")) for f in sent]
    assert {f["subscribeKey"] for f in sent} == set(venue.keys)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Invalid order pairs:[aiausdt],remoteIp is: [203.0.113.9]", SubscriptionRefused),
        ("Missing parameter ['subscribeKey'], remoteIp is: [203.0.113.9]", KeyExpired),
        ("subscribeKey is invalid, remoteIp is: [2001:db8::7]", KeyExpired),
        ("request too frequent, remoteIp is: [203.0.113.9]", RateLimited),
        ("something new", SubscriptionRefused),
    ],
)
async def test_refused_subscription(
    venue: PretendLBank, autojump_clock: MockClock, message: str, error: type[Exception]
):
    """An error frame ends the stream by its meaning, and shows no address."""
    venue.on_subscribe = lambda socket, _: socket.push(error_frame(message))

    with pytest.raises(error) as caught:
        await adapter_on(venue).run_stream(MemoryOutlet())

    assert "203.0.113.9" not in str(caught.value)
    assert "2001:db8" not in str(caught.value)


async def test_error_frame_does_not_show_the_key(venue: PretendLBank, autojump_clock: MockClock):
    """A key that an error frame echoes is blanked out."""
    venue.on_subscribe = lambda socket, frame: socket.push(
        error_frame(f"subscribeKey {frame['subscribeKey']} is unknown")
    )

    with pytest.raises(KeyExpired, match=r"\[redacted\]"):
        await adapter_on(venue).run_stream(MemoryOutlet())


async def test_refused_key_is_not_used_again(venue: PretendLBank, autojump_clock: MockClock):
    """After an error about the key the next stream gets a new one."""
    adapter = adapter_on(venue)
    venue.on_subscribe = lambda socket, _: socket.push(error_frame("key expired"))
    with pytest.raises(KeyExpired):
        await adapter.run_stream(MemoryOutlet())
    venue.on_subscribe = lambda *_: None
    outlet = MemoryOutlet()

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, outlet)
        nursery.cancel_scope.cancel()

    assert 2 == len(venue.keys)
    assert [True] == outlet.renewals


async def test_unanswered_first_ping_is_no_proof(venue: PretendLBank, autojump_clock: MockClock):
    """A socket that takes the subscription but answers nothing never counts as live."""
    venue.mute = True

    with pytest.raises(SubscriptionRefused, match="no pong"):
        await adapter_on(venue).run_stream(MemoryOutlet())


async def test_silence_is_noticed(venue: PretendLBank, autojump_clock: MockClock):
    """A socket that goes silent is given up within 30 s."""
    adapter = adapter_on(venue)

    since = float("inf")

    def fall_silent() -> None:
        nonlocal since
        since = trio.current_time()
        venue.mute = True

    with pytest.raises(HeartbeatMissed):
        await live_then(adapter, fall_silent)

    assert trio.current_time() - since <= 31


async def test_quiet_account_raises_no_alarm(venue: PretendLBank, autojump_clock: MockClock):
    """Answered pings alone keep a stream for hours, and prove its life."""
    outlet = MemoryOutlet()
    adapter = adapter_on(venue)

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, outlet)
        await trio.sleep(1000)
        nursery.cancel_scope.cancel()

    assert outlet.proofs >= 100
    assert outlet.frames == outlet.proofs
    assert [] == outlet.told


async def test_server_ping_is_answered_with_its_id(venue: PretendLBank, autojump_clock: MockClock):
    """A ping of the server gets a pong with the same id, and proves life."""
    adapter = adapter_on(venue)

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, MemoryOutlet())
        venue.sockets[0].push({"ping": "any-thing", "action": "ping"})
        await trio.sleep(1)
        assert {"action": "pong", "pong": "any-thing"} in venue.sockets[0].sent
        nursery.cancel_scope.cancel()


async def test_pushes_before_a_refusal_are_heard(venue: PretendLBank, autojump_clock: MockClock):
    """What arrived together with the refusal, but before it, is not lost."""
    outlet = MemoryOutlet()

    def answer(socket: Socket, frame: dict[str, Any]):
        if frame["subscribe"] == "orderUpdate":
            socket.push(ORDER)
            socket.push(error_frame("no"))

    venue.on_subscribe = answer
    with pytest.raises(SubscriptionRefused):
        await adapter_on(venue).run_stream(outlet)

    assert ["o1"] == [told.order.order_id for told in outlet.told]


async def test_frames_pass_in_order_and_garbage_is_kept(
    venue: PretendLBank, autojump_clock: MockClock
):
    """Reports, unknown text and binary frames arrive in the order sent."""
    outlet = MemoryOutlet()
    adapter = adapter_on(venue)
    stranger = '{"news":1,"remoteIp is: [203.0.113.9]":2}'

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, outlet)
        for frame in (ORDER, "bare text", b"\xff\x00", stranger, ORDER):
            venue.sockets[0].push(frame)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()

    assert [ToldOrder, ToldUnrecognized, ToldUnrecognized, ToldUnrecognized, ToldOrder] == [
        type(told) for told in outlet.told
    ]
    assert ("not_json", "bare text") == (outlet.told[1].reason, outlet.told[1].frame)
    assert ("binary", "/wA=", "base64") == (
        outlet.told[2].reason,
        outlet.told[2].frame,
        outlet.told[2].encoding,
    )
    assert "203.0.113.9" not in outlet.told[3].frame


async def test_lost_connection_is_told_as_it_is(venue: PretendLBank, autojump_clock: MockClock):
    """One failure comes out by itself, not in an exception group."""
    adapter = adapter_on(venue)

    def cut() -> None:
        venue.sockets[0].cut()

    with pytest.raises(ConnectionLost, match="cut"):
        await live_then(adapter, cut)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"result": "false", "error_code": 10022}, LoginRefused, "10022: this key may not"),
        ({"result": False, "error_code": 10007, "msg": "x"}, LoginRefused, "wrong signature"),
        ({"result": "false", "error_code": 10004}, RateLimited, "10004"),
        ({"result": "false", "error_code": 10116, "msg": "up"}, VenueUnavailable, "10116: up"),
        ({"result": "true"}, VenueUnavailable, "without a key"),
        (b"<html></html>", VenueUnavailable, "web page"),
    ],
)
async def test_refused_key_creation(
    venue: PretendLBank, autojump_clock: MockClock, answer: Any, error: type[Exception], words: str
):
    """What get_key refuses comes out as the error that the supervisor knows, in words."""
    venue.get_script = [answer]

    with pytest.raises(error, match=words):
        await adapter_on(venue).run_stream(MemoryOutlet())


async def test_refusal_does_not_show_our_key(venue: PretendLBank, autojump_clock: MockClock):
    """A refusal that echoes the API key is blanked out."""
    venue.get_script = [{"result": "false", "error_code": 77777, "msg": f"who is {API_KEY}?"}]

    with pytest.raises(VenueUnavailable, match=r"who is \[redacted\]"):
        await adapter_on(venue).run_stream(MemoryOutlet())


async def test_clock_is_learned_and_a_skew_is_healed(
    venue: PretendLBank, autojump_clock: MockClock
):
    """Requests carry LBank's time; a refused timestamp is relearned and repeated once."""
    venue.clock.wrong_by_ns = 3600 * 10**9
    refusals = [{"result": "false", "error_code": 10600}]

    def get_key(form: dict[str, str]):
        return refusals.pop() if refusals else {"result": "true", "subscribeKey": "k" * 64}

    venue.answers["/v2/subscribe/get_key.do"] = get_key
    adapter = adapter_on(venue)

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, MemoryOutlet())
        nursery.cancel_scope.cancel()

    assert adapter.clock_offset_seconds() == pytest.approx(-3600, abs=1)
    assert 2 == [path for path, _ in venue.asked].count("/v2/timestamp.do")


async def test_old_api_asks_the_old_paths(venue: PretendLBank, autojump_clock: MockClock):
    """API v1 creates its key at the page's path, without headers or a clock."""
    settings = settings_of(endpoints=Endpoints(api="v1"))
    credentials = msgspec.structs.replace(settings.credentials, signature="md5")
    adapter = adapter_on(venue, msgspec.structs.replace(settings, credentials=credentials))

    async with trio.open_nursery() as nursery:
        await nursery.start(adapter.run_stream, MemoryOutlet())
        nursery.cancel_scope.cancel()

    assert ["/v1/subscribe/get_key.do"] == [path for path, _ in venue.asked]
