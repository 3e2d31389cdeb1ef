"""Each fault of a scenario does what its docstring says."""

import json

import pytest
import trio
import trio_websocket
from trio.testing import MockClock

from adapters.lbank.simulator import SIMULATOR as LBANK
from gateway.simulator import QUIET, FactKind, Fate, Scenario, Simulator, open_simulator, steps
from tests.doubles.simulated import CLOCK, LbankClient, ask, connected, followed_lbank, hear

TIMESTAMP = "/v2/timestamp.do"


def pushes(frames: list[object]) -> list[dict[str, object]]:
    """Only the pushes, not the heartbeats."""
    return [f for f in frames if isinstance(f, dict) and str(f.get("type")).endswith("Update")]


def fates(simulator: Simulator) -> set[Fate]:
    """What became of all pushes."""
    return {delivery.fate for delivery in simulator.truth.deliveries}


async def test_pushes_arrive_without_faults(autojump_clock: MockClock):
    """Every fact is pushed once, in order, while nothing is wrong."""
    async with followed_lbank() as (simulator, stream):
        simulator.trade(0, 20)
        heard = pushes(await hear(stream))
    assert len(heard) == len(simulator.truth.deliveries)
    assert fates(simulator) == {Fate.SENT}


@pytest.mark.parametrize("how", ["rst", "fin"])
async def test_drop_ends_connections_without_a_closing_frame(autojump_clock: MockClock, how: str):
    """A dropped client meets the end of the stream (1006), and may come again."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Drop(how=how))  # type: ignore[arg-type] # a literal
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await stream.get_message()
        assert closed.value.reason.code == 1006
        async with LbankClient(simulator).stream() as again:
            simulator.trade(0)
            assert pushes(await hear(again))


async def test_close_says_goodbye(autojump_clock: MockClock):
    """A closing frame carries the code and the reason that the step names."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Close(code=1012, reason="restart"))
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await stream.get_message()
    assert (closed.value.reason.code, closed.value.reason.reason) == (1012, "restart")


@pytest.mark.parametrize("step", [steps.Silence(lasting=30), steps.HalfOpen(lasting=30)])
async def test_silence_swallows_pushes_and_heartbeats(
    autojump_clock: MockClock, step: steps.AnyStep
):
    """Nothing comes over a silent connection, and what happened meanwhile is lost for it."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(step)
        simulator.trade(0, 5)
        await stream.send_message('{"action":"ping","ping":"1"}')
        assert await hear(stream, 29) == []
        assert fates(simulator) == {Fate.LOST}
        await trio.sleep(2)
        simulator.trade(0, 5)
        assert pushes(await hear(stream))


async def test_faults_of_one_account_leave_others_alone(autojump_clock: MockClock):
    """A step with an account concerns only that account."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        first, second = LbankClient(simulator, 0), LbankClient(simulator, 1)
        async with first.stream() as one, second.stream() as other:
            await hear(one)
            simulator.do(steps.Silence(account=0))
            simulator.trade(0)
            simulator.trade(1)
            assert pushes(await hear(one)) == []
            assert pushes(await hear(other))


async def test_mute_heartbeats_leave_pushes(autojump_clock: MockClock):
    """Pings are not answered while pushes flow on."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.MuteHeartbeat())
        await stream.send_message('{"action":"ping","ping":"1"}')
        simulator.trade(0)
        frames = await hear(stream, 100)
    assert pushes(frames) == frames != []


async def test_lost_subscriptions_are_not_announced(autojump_clock: MockClock):
    """The socket lives and answers, but no push comes any more."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.LoseSubscription())
        simulator.trade(0, 3)
        await stream.send_message('{"action":"ping","ping":"1"}')
        assert await hear(stream) == [{"action": "pong", "pong": "1"}]


async def test_lose_takes_a_share(autojump_clock: MockClock):
    """About half of the pushes vanish when half is asked for, and the truth says which."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Lose(share=0.5))
        simulator.trade(0, 100)
        heard = pushes(await hear(stream))
    sent = [one for one in simulator.truth.deliveries if one.fate is Fate.SENT]
    assert len(heard) == len(sent)
    assert fates(simulator) == {Fate.SENT, Fate.LOST}


async def test_delay_keeps_order(autojump_clock: MockClock):
    """Delayed pushes come late, all of them, in their order."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Delay(by=5))
        simulator.trade(0, 10)
        assert await hear(stream, 4.9) == []
        heard = pushes(await hear(stream, 1))
    times = [frame["TS"] for frame in heard]
    assert times == sorted(times)  # type: ignore[type-var] # never None here
    assert len(heard) == len(simulator.truth.deliveries)


async def test_duplicates_come_twice(autojump_clock: MockClock):
    """A duplicated push comes twice, word for word."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Duplicate(share=1))
        simulator.trade(0)
        heard = [json.dumps(frame) for frame in pushes(await hear(stream))]
    assert fates(simulator) == {Fate.DUPLICATED}
    assert all(heard.count(frame) % 2 == 0 for frame in heard)


async def test_reordered_pushes_come_behind_later_ones(autojump_clock: MockClock):
    """What is reordered arrives, but not in the order of the facts."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Reorder(share=0.3))
        for _ in range(20):
            simulator.trade(0)
            await trio.sleep(0.01)
        heard = pushes(await hear(stream))
    assert len(heard) == len(simulator.truth.deliveries)
    times = [str(frame["TS"]) for frame in heard]
    assert times != sorted(times)
    assert fates(simulator) == {Fate.SENT, Fate.REORDERED}


async def test_garbage_of_every_harmless_kind(autojump_clock: MockClock):
    """Nine kinds of garbage arrive as frames, and the connection survives them."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Garbage(count=9))
        frames = [await stream.get_message() for _ in range(9)]
        simulator.inject('{"still":"alive"}')
        assert await stream.get_message() == '{"still":"alive"}'
    assert len(set(frames)) == 9
    assert bytes in {type(frame) for frame in frames}


@pytest.mark.parametrize(
    "step",
    [
        steps.Oversize(size=100_000),
        steps.Fragments(size=100_000),
        steps.DeflateBomb(size=100_000),
        steps.Garbage(kind="invalid_utf8"),
    ],
)
async def test_frames_that_end_a_careful_client(autojump_clock: MockClock, step: steps.AnyStep):
    """Too large, endless, wrongly compressed or wrongly encoded: the client closes."""
    async with followed_lbank() as (simulator, stream):
        stream._max_message_size = 50_000
        simulator.do(step)
        with pytest.raises(trio_websocket.ConnectionClosed):
            await stream.get_message()


async def test_refused_connections(autojump_clock: MockClock):
    """Upgrades get the HTTP status of the fault, as long as it lasts."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.do(steps.RefuseConnect(status=503, lasting=10))
        with pytest.RaisesGroup(
            trio_websocket.ConnectionRejected, allow_unwrapped=True, flatten_subgroups=True
        ):
            async with connected(simulator, "/ws/V2/"):
                pass
        await trio.sleep(11)
        async with connected(simulator, "/ws/V2/"):
            assert simulator.connections == 1


async def test_stalled_connections(autojump_clock: MockClock):
    """Upgrades are never answered."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.do(steps.StallConnect())
        with trio.move_on_after(3600) as patience:
            async with connected(simulator, "/ws/V2/"):
                pass
    assert patience.cancelled_caught


async def test_refused_login(autojump_clock: MockClock):
    """Signed requests are refused with the code, unsigned ones are not."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        client = LbankClient(simulator)
        simulator.do(steps.RefuseLogin(code=10005, account=0))
        assert (await client.post("/v2/subscribe/get_key.do"))["error_code"] == 10005
        assert (await ask(simulator, "GET", TIMESTAMP)).json["result"] == "true"
        assert await LbankClient(simulator, 1).get_key()


async def test_rest_answers_are_replaced(autojump_clock: MockClock):
    """HTML, a status with Retry-After, and a refusal, each on the named path only."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.do(steps.Html(path="timestamp", lasting=1))
        html = await ask(simulator, "GET", TIMESTAMP)
        assert (html.status, html.body[:6]) == (200, b"<html>")
        assert (await ask(simulator, "GET", "/v2/accuracy.do")).json["result"] == "true"
        await trio.sleep(2)
        simulator.do(steps.Status(status=429, retry_after=7))
        refused = await ask(simulator, "GET", TIMESTAMP)
        assert (refused.status, refused.headers["retry-after"]) == (429, "7")
        simulator.heal()
        simulator.do(steps.RejectRest(code=10017))
        assert (await ask(simulator, "GET", TIMESTAMP)).json["error_code"] == 10017


async def test_rest_hangs(autojump_clock: MockClock):
    """A hanging request is never answered."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.do(steps.Hang())
        with trio.move_on_after(3600) as patience:
            await ask(simulator, "GET", TIMESTAMP)
    assert patience.cancelled_caught


async def test_rest_is_slow(autojump_clock: MockClock):
    """A slow answer comes after the delay, and is right."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.do(steps.Slow(by=8))
        asked = trio.current_time()
        assert (await ask(simulator, "GET", TIMESTAMP)).json["result"] == "true"
        assert trio.current_time() - asked == pytest.approx(8)


async def test_rest_breaks_off(autojump_clock: MockClock):
    """Half an answer comes, then the end of the stream."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.do(steps.HalfAnswer())
        with pytest.RaisesGroup(Exception, flatten_subgroups=True, allow_unwrapped=True):
            await ask(simulator, "GET", TIMESTAMP)


async def test_rest_never_ends(autojump_clock: MockClock):
    """Megabytes come for as long as somebody reads."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.do(steps.Endless())
        received = 0
        stream = await trio.open_tcp_stream(simulator.host, simulator.port)
        async with stream:
            await stream.send_all(b"GET /v2/timestamp.do HTTP/1.1\r\nhost: x\r\n\r\n")
            while received < 4_000_000:
                received += len(await stream.receive_some())


async def test_the_venues_clock_is_off(autojump_clock: MockClock):
    """An hour of skew shows in the server's time, and refuses honest clients."""
    async with open_simulator(LBANK, scenario=QUIET, clock=CLOCK) as simulator:
        simulator.do(steps.ClockSkew(by=3600))
        told = (await ask(simulator, "GET", TIMESTAMP)).json["data"]
        assert told - CLOCK.now_ns() // 1_000_000 == 3_600_000
        client = LbankClient(simulator)
        assert (await client.post("/v2/subscribe/get_key.do"))["error_code"] == 10600
        good = await client.post("/v2/subscribe/get_key.do", late_ms=-3_600_000)
        assert good["result"] is True


async def test_a_blast_outruns_the_market(autojump_clock: MockClock):
    """A blast brings exactly so many frames, all different, and moves no ledger."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Blast(frames=3_000))
        heard = pushes(await hear(stream))
    assert len({frame["orderUpdate"]["uuid"] for frame in heard}) == 3_000  # type: ignore[index] # JSON of any shape
    assert not simulator.truth.facts


async def test_a_blast_of_states_follows_each_order_to_its_end(autojump_clock: MockClock):
    """Each order is placed, then fills in equal parts, one update after the other."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Blast(frames=3_000, states=3))
        heard = [frame["orderUpdate"] for frame in pushes(await hear(stream))]
    assert len({(update["uuid"], update["accAmt"]) for update in heard}) == 3_000  # type: ignore[index] # JSON of any shape
    assert [update["orderStatus"] for update in heard] == [0, 1, 2] * 1_000  # type: ignore[index] # JSON of any shape
    assert not simulator.truth.facts


async def test_a_paced_blast_is_even(autojump_clock: MockClock):
    """At ten a second, half of twenty frames come in the first second, half in the next."""
    async with followed_lbank() as (simulator, stream):
        simulator.do(steps.Blast(frames=20, per_second=10))
        seconds = [len(pushes(await hear(stream, seconds=1))) for _ in range(3)]
    assert seconds == [10, 10, 0]


async def test_the_timeline_repeats_and_ends(autojump_clock: MockClock):
    """A step comes at its time, again after each period, and a fault lasts as long as told."""
    scenario = Scenario(
        rate=0,
        timeline=(
            steps.Trade(at=10, every=10, account=0),
            steps.Lose(at=15, lasting=10),
        ),
    )
    async with followed_lbank(scenario) as (simulator, stream):
        await hear(stream, 34)
    by_time = {round(one.at_seconds): one.fate for one in simulator.truth.deliveries}
    assert by_time == {10: Fate.SENT, 20: Fate.LOST, 30: Fate.SENT}


async def test_the_market_is_as_lively_as_asked(autojump_clock: MockClock):
    """Rate 0 is a standstill; at 2 per second two accounts see about 4 moves a second."""
    async with open_simulator(LBANK, scenario=Scenario(rate=0), clock=CLOCK) as simulator:
        await trio.sleep(100)
        assert not simulator.truth.facts
        simulator.do(steps.Rate(per_second=2))
        await trio.sleep(100)
        moves = len({fact.time_ms for fact in simulator.truth.facts})
    assert 250 < moves < 550
    assert {fact.account for fact in simulator.truth.facts} == {0, 1}


@pytest.mark.parametrize("rate", [5, 45])
async def test_a_market_that_hurries_keeps_its_rate(autojump_clock: MockClock, rate: int):
    """Short pauses are made up for, so that a load test gets the load it asks for."""
    async with open_simulator(LBANK, scenario=Scenario(rate=0), clock=CLOCK) as simulator:
        simulator.do(steps.Rate(per_second=rate))
        await trio.sleep(40)
        moves = len({fact.time_ms for fact in simulator.truth.facts})
    assert moves == pytest.approx(40 * 2 * rate, rel=0.15)


async def test_a_rate_set_before_the_market_opens_holds(autojump_clock: MockClock):
    """Whoever starts the market in the moment in which the simulator starts is heard."""
    async with open_simulator(LBANK, scenario=Scenario(rate=0), clock=CLOCK) as simulator:
        simulator.do(steps.Rate(per_second=5))
        await trio.sleep(20)
        assert simulator.truth.facts


async def test_the_same_seed_gives_the_same_market(autojump_clock: MockClock):
    """Two runs of one scenario make the same facts; another seed makes others."""
    stories = []
    for seed in (5, 5, 6):
        async with open_simulator(LBANK, scenario=Scenario(rate=0, seed=seed), clock=CLOCK) as one:
            one.trade(0, 50)
            stories.append([fact.told for fact in one.truth.of(0, FactKind.FILL)])
    assert stories[0] == stories[1] != stories[2]
