"""The pretend FMEX's socket: logins, topics, pings, numbers, each open question both ways."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest
import trio
import trio_websocket
from trio.testing import MockClock

from adapters.fmex.simulator import SIMULATOR as FMEX
from gateway.simulator import QUIET, FactKind, Scenario, open_simulator, steps
from tests.doubles.simulated import CLOCK, FmexClient, connected, followed_fmex, hear


def switched(**switches: Any) -> Scenario:
    """A quiet market with these switches."""
    return Scenario(rate=0, switches=switches)


async def command(stream: trio_websocket.WebSocketConnection, **fields: Any) -> list[Any]:
    """Send a command and hear what comes of it."""
    await stream.send_message(json.dumps(fields))
    return await hear(stream, 0.5)


# --- logins -----------------------------------------------------------------------------


async def rejected(simulator: Any, target: str) -> int:
    """HTTP status with which an upgrade is refused."""
    with pytest.RaisesGroup(
        trio_websocket.ConnectionRejected, allow_unwrapped=True, flatten_subgroups=True
    ) as caught:
        async with connected(simulator, target):
            pass
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, trio_websocket.ConnectionRejected)
    return int(error.status_code)


async def test_bad_logins_are_refused(autojump_clock: MockClock):
    """Wrong key, wrong signature, and a clock more than 30 s off: HTTP 401."""
    async with open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as simulator:
        client = FmexClient(simulator)
        assert await rejected(simulator, "/v2/user/ws") == 401
        assert await rejected(simulator, client.login(late_ms=30_001)) == 401
        assert await rejected(simulator, client.login(late_ms=-30_001)) == 401
        async with connected(simulator, client.login(late_ms=29_000)):
            assert simulator.connections == 1
        simulator.do(steps.RefuseLogin())
        assert await rejected(simulator, client.login()) == 401
        simulator.heal()
        client.secret = "0" * 32
        assert await rejected(simulator, client.login()) == 401


@pytest.mark.parametrize(
    ("form", "expected"),
    [("open_then_close", 1008), ("message", 2020), ("anonymous", "hello")],
)
async def test_forms_of_refusal(autojump_clock: MockClock, form: str, expected: object):
    """A close after the upgrade, a message, or no word at all, as the switch says."""
    async with (
        open_simulator(FMEX, scenario=switched(refused_login=form), clock=CLOCK) as simulator,
        connected(simulator, "/v2/user/ws") as stream,
    ):
        try:
            told = json.loads(await stream.get_message())
            met = told.get("status") or told.get("type")
        except trio_websocket.ConnectionClosed as closed:
            met = closed.reason.code
    assert met == expected


@pytest.mark.parametrize(("sub", "expected"), [("error", [41002]), ("silent", [])])
async def test_anonymous_subscribers(autojump_clock: MockClock, sub: str, expected: list[int]):
    """Who is let in as nobody hears 41002 for private topics, or nothing; never a push."""
    scenario = switched(refused_login="anonymous", anonymous_sub=sub, hello=False)
    async with (
        open_simulator(FMEX, scenario=scenario, clock=CLOCK) as simulator,
        connected(simulator, "/v2/user/ws") as stream,
    ):
        told = await command(stream, cmd="sub", args=["account"], id="1")
        simulator.trade(0, 5)
        assert await hear(stream) == []
    assert [frame["status"] for frame in told] == expected


@pytest.mark.parametrize(("reading", "good"), [("form", False), ("raw", True)])
async def test_a_raw_plus_in_the_query(autojump_clock: MockClock, reading: str, good: bool):
    """An unescaped ``+`` of a signature is a blank to a server that reads forms."""
    async with open_simulator(FMEX, scenario=switched(signature_query=reading), clock=CLOCK) as one:
        client = FmexClient(one)
        logins = (client.login(late_ms=late) for late in range(1_000))
        raw = unquote(next(login for login in logins if "%2B" in login))
        if good:
            async with connected(one, raw):
                assert one.connections == 1
        else:
            assert await rejected(one, raw) == 401


# --- commands -----------------------------------------------------------------------------


async def test_topics_are_confirmed(autojump_clock: MockClock):
    """The reply echoes the id and lists lower-case topics; unsub takes one away."""
    async with (
        open_simulator(FMEX, scenario=QUIET, clock=CLOCK) as simulator,
        connected(simulator, FmexClient(simulator).login()) as stream,
    ):
        assert [f["type"] for f in await hear(stream, 0.1)] == ["hello"]
        [told] = await command(stream, cmd="sub", args=["order.BTCUSD_P"], id="7")
        assert told == {"id": "7", "type": "topics", "topics": ["order.btcusd_p"]}
        [told] = await command(stream, cmd="sub", args=["account"])
        assert told == {"type": "topics", "topics": ["order.btcusd_p", "account"]}
        [told] = await command(stream, cmd="unsub", args=["order.btcusd_p"])
        assert told["topics"] == ["account"]
        simulator.trade(0, 20)
        assert {frame["type"] for frame in await hear(stream)} == {"account"}


async def test_topics_of_this_command_only(autojump_clock: MockClock):
    """With `topics_reply: new` and no id, each reply lists what its command asked for."""
    scenario = switched(topics_reply="new", topics_id=False, hello=False)
    async with (
        open_simulator(FMEX, scenario=scenario, clock=CLOCK) as simulator,
        connected(simulator, FmexClient(simulator).login()) as stream,
    ):
        await command(stream, cmd="sub", args=["account"], id="1")
        [told] = await command(stream, cmd="sub", args=["position.btcusd_p"], id="2")
    assert told == {"type": "topics", "topics": ["position.btcusd_p"]}


@pytest.mark.parametrize(
    ("partly", "expected"), [("refuse_all", ["status"]), ("take_good", ["status", "topics"])]
)
async def test_wrong_topics(autojump_clock: MockClock, partly: str, expected: list[str]):
    """41002 for the wrong one; the good ones are taken or not, as the switch says."""
    async with (
        open_simulator(
            FMEX, scenario=switched(partial_topics=partly, hello=False), clock=CLOCK
        ) as simulator,
        connected(simulator, FmexClient(simulator).login()) as stream,
    ):
        told = await command(stream, cmd="sub", args=["account", "xxx.M1"], id="1")
    assert told[0] == {"id": "1", "status": 41002, "msg": "invalid sub topic, xxx.m1"}
    assert ["status" if "status" in frame else frame["type"] for frame in told] == expected


async def test_more_than_twenty_topics_and_nonsense(autojump_clock: MockClock):
    """Too many topics, no JSON, no list, an unknown command: errors, and the socket stays."""
    async with followed_fmex() as (_, stream):
        [told] = await command(stream, cmd="sub", args=["account"] * 21)
        assert told["status"] == 41002
        for text in ("{", "[]", '{"cmd":"sub"}', '{"cmd":"dance","args":[]}', "[" * 9_999):
            await stream.send_message(text)
        assert [frame["status"] for frame in await hear(stream)] == [400] * 5


async def test_pings_tell_the_gap(autojump_clock: MockClock):
    """The answer to a ping has our id, the server's time, and the difference."""
    async with followed_fmex() as (_, stream):
        now = CLOCK.now_ns() // 1_000_000
        [told] = await command(stream, cmd="ping", args=[now - 112], id="x")
        assert told == {"id": "x", "type": "ping", "ts": now, "gap": 112}
        [told] = await command(stream, cmd="ping", args=[now])
        assert "id" not in told


async def test_who_pings_no_more_is_closed(autojump_clock: MockClock):
    """After 300 s without a ping the server closes; with pings it never does."""
    async with followed_fmex() as (_, stream):
        for _ in range(100):
            await stream.send_message('{"cmd":"ping","args":[1]}')
            await trio.sleep(15)
        assert len(await hear(stream, 1)) == 100
        with pytest.raises(trio_websocket.ConnectionClosed):
            await hear(stream, 400)


# --- pushes -------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", ["mixed", "plain", "java"])
async def test_numbers_keep_their_digits(autojump_clock: MockClock, numbers: str):
    """However a number is written, it is the number of the truth."""
    async with followed_fmex(switched(push_numbers=numbers)) as (simulator, stream):
        texts = []
        for _ in range(120):
            simulator.trade(0)
            with trio.move_on_after(0.001):
                while True:
                    texts.append(await stream.get_message())
    told = [json.loads(text, parse_float=Decimal, parse_int=Decimal) for text in texts]
    accounts = [frame["account"] for frame in told if frame["type"] == "account"]
    facts = [fact.told for fact in simulator.truth.of(0, FactKind.BALANCE)]
    pairs = list(zip(accounts, facts, strict=True))
    for push, fact in pairs:
        assert push["available"] == Decimal(str(fact["available"]))
        assert push["position"] == Decimal(str(fact["position_margin"]))
    styles = {"mixed": ("e-0", "0E-18", ":0.0,"), "plain": ("0." + "0" * 18,), "java": ("0E-18",)}
    assert all(style in "".join(texts) for style in styles[numbers])


async def test_pushes_have_the_fields_of_the_page(autojump_clock: MockClock):
    """Every documented field and no other; or more, where the switch says so."""
    for extra in (False, True):
        async with followed_fmex(switched(extra_fields=extra)) as (simulator, stream):
            simulator.trade(0, 100)
            frames = {frame["type"]: frame for frame in await hear(stream)}
        sizes = {name: len(frame[name.partition(".")[0]]) for name, frame in frames.items()}
        more = 2 if extra else 0
        assert sizes == {
            "account": 5 + more, "order.btcusd_p": 17 + more, "position.btcusd_p": 13 + more,
        }  # fmt: skip


async def test_a_triggered_stop_may_change_its_id(autojump_clock: MockClock):
    """With `stop_trigger: new_id` a stop ends and another order takes its place."""
    lives = {}
    for how in ("same_id", "new_id"):
        async with open_simulator(FMEX, scenario=switched(stop_trigger=how), clock=CLOCK) as one:
            one.trade(0, 1_000)
            told: dict[str, list[Any]] = {}
            for fact in one.truth.of(0, FactKind.ORDER):
                told.setdefault(fact.key, []).append(fact.told["status"])
            stops = [life for life in told.values() if life[0] == "pending_trigger"]
            lives[how] = any("new" in life for life in stops)
    assert lives == {"same_id": True, "new_id": False}
