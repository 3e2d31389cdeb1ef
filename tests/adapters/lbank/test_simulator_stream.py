"""The pretend LBank's socket: heartbeats, keys, pushes, and each open question both ways."""

import json
from decimal import Decimal
from typing import Any

import pytest
import trio
import trio_websocket
from trio.testing import MockClock

from adapters.lbank.simulator import SIMULATOR as LBANK
from gateway.simulator import QUIET, Fate, Scenario, open_simulator
from tests.doubles.simulated import CLOCK, LbankClient, connected, followed_lbank, hear


def switched(**switches: Any) -> Scenario:
    """A quiet market with these switches."""
    return Scenario(rate=0, switches=switches)


def of_type(frames: list[Any], word: str) -> list[Any]:
    """The frames of one push type."""
    return [frame for frame in frames if isinstance(frame, dict) and frame.get("type") == word]


async def subscribe(stream: trio_websocket.WebSocketConnection, **message: str) -> list[Any]:
    """Send a subscribe and hear what comes of it."""
    await stream.send_message(json.dumps({"action": "subscribe", **message}))
    return await hear(stream, 0.5)


async def test_the_server_pings_and_wants_an_answer(autojump_clock: MockClock):
    """Pings come by themselves; a client that answers stays, one that does not is closed."""
    async with followed_lbank() as (simulator, stream):
        for _ in range(10):
            ping = json.loads(await stream.get_message())
            assert ping["action"] == "ping"
            await stream.send_message(json.dumps({"action": "pong", "pong": ping["ping"]}))
        assert trio.current_time() > 150
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await hear(stream, 200)
        assert closed.value.reason.code == 1000
    assert simulator.connections_met == 1


async def test_pushes_of_2019(autojump_clock: MockClock):
    """The old form has the eight fields of the page, and no more."""
    async with followed_lbank(switched(push_form="2019")) as (simulator, stream):
        simulator.trade(0, 50)
        orders = of_type(await hear(stream), "orderUpdate")
    assert {tuple(sorted(push)) for push in orders} == {
        ("SERVER", "TS", "orderUpdate", "pair", "type")
    }
    fields = {tuple(sorted(push["orderUpdate"])) for push in orders}
    assert fields == {
        ("amount", "orderStatus", "price", "role", "txUuid", "updateTime", "uuid", "volumePrice")
    }


async def test_pushes_of_today(autojump_clock: MockClock):
    """A trade brings its own price, amount and value, and the order's cumulative figures."""
    async with followed_lbank() as (simulator, stream):
        simulator.trade(0, 300)
        orders = of_type(await hear(stream), "orderUpdate")
    trades = [push["orderUpdate"] for push in orders if "txUuid" in push["orderUpdate"]]
    others = [push["orderUpdate"] for push in orders if "txUuid" not in push["orderUpdate"]]
    for told in trades:
        if told["orderStatus"] in (1, 2):
            value = Decimal(told["price"]) * Decimal(told["amount"])
            assert value == Decimal(told["volumePrice"])
        assert Decimal(told["accAmt"]) >= Decimal(told["amount"]) > 0
    assert {told["amount"] for told in others} == {"0"}
    assert {told["orderStatus"] for told in others} == {-1, 0, 4}
    for told in others:
        if told["type"] == "buy" and told["orderStatus"] == 0:
            amount = Decimal(told["orderAmt"]) * Decimal(told["orderPrice"])
            assert Decimal(told["remainAmt"]) == amount


async def test_times_are_in_two_zones(autojump_clock: MockClock):
    """`TS` is UTC+8 without saying so, `updateTime` is epoch milliseconds."""
    async with followed_lbank() as (simulator, stream):
        simulator.trade(0)
        [push] = of_type(await hear(stream), "orderUpdate")
    assert push["TS"].startswith("2020-09-13T20:26:4")
    assert push["orderUpdate"]["updateTime"] == 1_600_000_000_000


async def test_one_pair_only(autojump_clock: MockClock):
    """A subscription of one pair hears of no other."""
    async with (
        open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator,
        LbankClient(simulator).stream(pair="eth_btc") as stream,
    ):
        simulator.trade(0, 100)
        heard = of_type(await hear(stream), "orderUpdate")
    assert {push["pair"] for push in heard} == {"eth_btc"}


async def test_errors_echo_the_address(autojump_clock: MockClock):
    """Wrong pair, key, topic, format and missing parameters get an error without a code."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        key = await LbankClient(simulator).get_key()
        async with connected(simulator, "/ws/V2/") as stream:
            told = [
                *await subscribe(stream, subscribe="orderUpdate", subscribeKey=key, pair="aiausdt"),
                *await subscribe(stream, subscribe="orderUpdate", subscribeKey="x", pair="all"),
                *await subscribe(stream, subscribe="kbar", subscribeKey=key),
                *await subscribe(stream, subscribe="orderUpdate", pair="all"),
                *await subscribe(stream, subscribe="orderUpdate", subscribeKey=key),
            ]
            await stream.send_message("[" * 100_000)
            told += await hear(stream, 0.5)
    assert [frame["status"] for frame in told] == ["error"] * 6
    assert "Invalid order pairs:[aiausdt],remoteIp is: [127.0.0.1]" in told[0]["message"]
    assert "subscribeKey" in told[1]["message"]
    assert told[3]["message"] == "Missing parameter ['subscribeKey']"


async def test_unsubscribe(autojump_clock: MockClock):
    """After an unsubscribe only the other topic is pushed."""
    async with followed_lbank() as (simulator, stream):
        message = {"action": "unsubscribe", "subscribe": "orderUpdate", "pair": "all"}
        await stream.send_message(json.dumps(message))
        await hear(stream, 0.1)
        simulator.trade(0, 5)
        frames = await hear(stream)
    assert of_type(frames, "assetUpdate")
    assert not of_type(frames, "orderUpdate")


# --- keys ---------------------------------------------------------------------------------


async def test_a_key_lives_an_hour_from_its_last_refresh(autojump_clock: MockClock):
    """Refreshed at 59 minutes it pushes at 118, and no more at 120."""
    scenario = switched(ping_every=10_000)
    async with open_simulator(LBANK, scenario=scenario, clock=CLOCK) as simulator:
        client = LbankClient(simulator)
        key = await client.get_key()
        await trio.sleep(59 * 60)
        refreshed = await client.post("/v2/subscribe/refresh_key.do", subscribeKey=key)
        assert refreshed == {"result": "true"}
        await trio.sleep(59 * 60)
        async with client.stream(key) as stream:
            simulator.trade(0)
            assert of_type(await hear(stream), "orderUpdate")
            await trio.sleep(120)
            simulator.trade(0)
            assert not of_type(await hear(stream), "orderUpdate")
        dead = await client.post("/v2/subscribe/refresh_key.do", subscribeKey=key)
        assert (dead["result"], dead["error_code"]) == ("false", 10003)


@pytest.mark.parametrize(
    ("expiry", "expected"), [("silent", None), ("error", "error"), ("close", 1000)]
)
async def test_what_the_end_of_a_key_looks_like(
    autojump_clock: MockClock, expiry: str, expected: object
):
    """Silence, an error frame, or a close, as the switch says."""
    async with followed_lbank(switched(key_expiry=expiry, ping_every=10_000)) as (one, stream):
        one.venue.expire_keys(None)
        met: object = None
        with trio.move_on_after(60):
            try:
                met = json.loads(await stream.get_message())["status"]
            except trio_websocket.ConnectionClosed as closed:
                met = closed.reason.code
    assert met == expected


@pytest.mark.parametrize(
    ("new_key", "same", "old_lives"),
    [("fresh", False, True), ("same", True, True), ("voids_old", False, False)],
)
async def test_what_a_second_key_does(
    autojump_clock: MockClock, new_key: str, same: bool, old_lives: bool
):
    """A second get_key gives a key beside the first, the same one, or kills the first."""
    async with open_simulator(LBANK, scenario=switched(new_key=new_key), clock=CLOCK) as simulator:
        client = LbankClient(simulator)
        first, second = await client.get_key(), await client.get_key()
        assert (first == second) is same
        refreshed = await client.post("/v2/subscribe/refresh_key.do", subscribeKey=first)
        assert (refreshed["result"] == "true") is old_lives


@pytest.mark.parametrize(("scope", "other_lives"), [("key", True), ("account", False)])
async def test_what_destroying_a_key_does(autojump_clock: MockClock, scope: str, other_lives: bool):
    """destroy_key ends one key or all of the account."""
    async with open_simulator(LBANK, scenario=switched(destroy_scope=scope), clock=CLOCK) as one:
        client = LbankClient(one)
        first, second = await client.get_key(), await client.get_key()
        await client.post("/v2/subscribe/destroy_key.do", subscribeKey=first)
        refreshed = await client.post("/v2/subscribe/refresh_key.do", subscribeKey=second)
        assert (refreshed["result"] == "true") is other_lives


@pytest.mark.parametrize(
    ("where", "find"),
    [
        ("data", lambda answer: answer["data"]),
        ("data_key", lambda answer: answer["data"]["key"]),
        ("key", lambda answer: answer["key"]),
        ("subscribe_key", lambda answer: answer["subscribeKey"]),
    ],
)
async def test_where_the_key_stands(autojump_clock: MockClock, where: str, find: Any):
    """All four documented shapes of the answer to get_key."""
    async with open_simulator(LBANK, scenario=switched(key_answer=where), clock=CLOCK) as one:
        assert len(find(await LbankClient(one).post("/v2/subscribe/get_key.do"))) == 64


async def test_voided_keys_may_revive_only_if_merely_expired(autojump_clock: MockClock):
    """With `refresh_after_expiry: revives` an expired key comes back; a destroyed one never."""
    scenario = switched(refresh_after_expiry="revives")
    async with open_simulator(LBANK, scenario=scenario, clock=CLOCK) as simulator:
        client = LbankClient(simulator)
        key = await client.get_key()
        simulator.venue.expire_keys(0)
        revived = await client.post("/v2/subscribe/refresh_key.do", subscribeKey=key)
        assert revived["result"] == "true"
        simulator.venue.void_keys(0)
        dead = await client.post("/v2/subscribe/refresh_key.do", subscribeKey=key)
        assert dead["result"] == "false"


@pytest.mark.parametrize(
    ("bad_key", "expected"), [("error", "error"), ("silent", None), ("close", 1000)]
)
async def test_what_a_dead_key_meets(autojump_clock: MockClock, bad_key: str, expected: object):
    """A subscribe with a dead key gets an error, nothing, or a close."""
    met: object = None
    async with (
        open_simulator(LBANK, scenario=switched(bad_key=bad_key), clock=CLOCK) as simulator,
        connected(simulator, "/ws/V2/") as stream,
    ):
        try:
            frames = await subscribe(
                stream, subscribe="orderUpdate", subscribeKey="gone", pair="all"
            )
            met = frames[0]["status"] if frames else None
        except trio_websocket.ConnectionClosed as closed:
            met = closed.reason.code
    assert met == expected


# --- other open questions -----------------------------------------------------------------


@pytest.mark.parametrize("acknowledge", ["none", "json", "text"])
async def test_acknowledgements(autojump_clock: MockClock, acknowledge: str):
    """Nothing, a frame, or bare text that is no JSON."""
    async with open_simulator(
        LBANK, scenario=switched(acknowledge=acknowledge), clock=CLOCK
    ) as one:
        key = await LbankClient(one).get_key()
        async with connected(one, "/ws/V2/") as stream:
            message = {"action": "subscribe", "subscribe": "assetUpdate", "subscribeKey": key}
            await stream.send_message(json.dumps(message))
            heard = None
            with trio.move_on_after(1):
                heard = await stream.get_message()
    shapes = {"none": heard is None, "text": heard == "assetUpdate subscribed"}
    assert shapes.get(acknowledge, str(heard).startswith("{"))


@pytest.mark.parametrize(("status", "other"), [("-1", 3), ("3", None)])
async def test_a_cancel_after_a_partial_fill(
    autojump_clock: MockClock, status: str, other: int | None
):
    """The socket says -1 or 3; REST says 3 in either case."""
    async with followed_lbank(switched(partial_cancel=status)) as (simulator, stream):
        simulator.trade(0, 400)
        orders = [f["orderUpdate"] for f in of_type(await hear(stream), "orderUpdate")]
    ended = {o["orderStatus"] for o in orders if o["orderStatus"] in (-1, 3) and o["accAmt"] != "0"}
    assert ended == {int(status)}
    assert other not in ended


async def test_skipped_cancelling_is_true_but_not_told(autojump_clock: MockClock):
    """With `cancelling: skipped` no status 4 is pushed, though it happened."""
    async with followed_lbank(switched(cancelling="skipped")) as (simulator, stream):
        simulator.trade(0, 200)
        orders = of_type(await hear(stream), "orderUpdate")
    assert 4 not in {
        o["orderUpdate"]["orderStatus"] for o in orders if "txUuid" not in o["orderUpdate"]
    }
    assert "pending_cancel" in {fact.told.get("status") for fact in simulator.truth.facts}


async def test_stale_trade_fields(autojump_clock: MockClock):
    """With `cancel_amounts: last_trade` a push without a trade repeats the last one's amount."""
    async with followed_lbank(switched(cancel_amounts="last_trade")) as (simulator, stream):
        simulator.trade(0, 400)
        orders = [f["orderUpdate"] for f in of_type(await hear(stream), "orderUpdate")]
    stale = [o for o in orders if "txUuid" not in o and o["amount"] != "0"]
    assert stale
    assert {o["orderStatus"] for o in stale} <= {-1, 4}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_balances_before_or_after_orders(autojump_clock: MockClock, when: str):
    """The order of the two topics follows the switch."""
    async with followed_lbank(switched(asset_push=when)) as (simulator, stream):
        simulator.trade(0)
        types = [frame["type"] for frame in await hear(stream) if "type" in frame]
    assert types[0] == ("assetUpdate" if when == "before" else "orderUpdate")


async def test_switches_turn_while_it_runs(autojump_clock: MockClock):
    """A switch set at run time counts from the next push on."""
    async with followed_lbank() as (simulator, stream):
        simulator.set_switch("push_form", "2019")
        simulator.trade(0)
        [push] = of_type(await hear(stream), "orderUpdate")
    assert "accAmt" not in push["orderUpdate"]
    assert {one.fate for one in simulator.truth.deliveries} == {Fate.SENT}
