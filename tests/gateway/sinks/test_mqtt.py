"""What is special to the mqtt sink: topics, retained events, its troubles."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import (
    ACCEPTED,
    UNTRIED,
    Accepted,
    Refused,
    SinkContext,
    SinkOptions,
    Verdict,
)
from gateway.contracts.values import Seconds, Secret
from gateway.delivery.policy import Result
from gateway.sinks.mqtt import MqttSettings, open_mqtt, probe_mqtt
from gateway.sinks.mqtt.session import AT_ONCE
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import deliver, deliver_all, fills, item
from tests.doubles.events import fill_event
from tests.doubles.servers.mosquitto import Subscriber, open_mosquitto


def context(timeout: float = 5) -> SinkContext:
    """What the house hands over."""
    return SinkContext(
        name="home",
        state_dir=Path("/nonexistent"),
        options=SinkOptions(type="mqtt", timeout=Seconds(timeout)),
        clock=WALL_CLOCK,
        redactor=Redactor(),
    )


@asynccontextmanager
async def sink_to(server: str, **settings: Any) -> AsyncIterator[Any]:
    """The sink in front of it."""
    async with open_mqtt(MqttSettings(server=server, **settings), context()) as sink:
        yield sink


async def test_a_message(tmp_path: Path):
    """An event goes to the topic of its account, kind and symbol, and is retained on request."""
    items = fills(2)
    async with open_mosquitto(tmp_path) as (broker, subscriber):
        async with sink_to(broker.address, retain=True) as sink:
            await deliver_all(sink, items)
        heard = await subscriber.catch_up()
        late = await trio.to_thread.run_sync(Subscriber, broker.port)
        kept = await late.catch_up()
        late.close()

    assert ["gateway/lbank-main/fill/ETH-BTC"] * 2 == [one.topic for one in heard]
    assert [item.body for item in items] == [one.payload for one in heard]
    assert [items[1].body] == [one.payload for one in kept]


async def test_a_large_batch_goes_out_in_parts(tmp_path: Path):
    """The library is handed no more than it is quick with; the rest is for the next delivery."""
    items = fills(AT_ONCE + 1)
    async with open_mosquitto(tmp_path) as (broker, _), sink_to(broker.address) as sink:
        verdicts = await sink.deliver(items)
        [last] = await sink.deliver(items[-1:])

    assert [ACCEPTED] * AT_ONCE == list(verdicts[:-1])
    assert (UNTRIED, ACCEPTED) == (verdicts[-1], last)


async def test_a_killed_broker(tmp_path: Path):
    """A broker that is gone is waited for, and delivered to when it is back."""
    async with open_mosquitto(tmp_path) as (broker, subscriber):
        async with sink_to(broker.address) as sink:
            await deliver_all(sink, fills(1))
            broker.kill()
            answers = [await deliver(sink, fills(1, first=2)) for _ in range(2)]
            await broker.start()
            await deliver_all(sink, fills(1, first=2))
        subscriber.close()

    assert {Result.LATER} == {answer.result for answer in answers}
    assert "Connection refused" in str(answers[1].trouble)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("message_size_limit 4000", "protocol"), ("max_packet_size 4000", "too_large")],
)
async def test_a_message_too_large(tmp_path: Path, limit: str, reason: str):
    """What the broker takes from nobody is refused, and holds up nothing behind it."""
    items = [*fills(2), item(3, fill_event(3, raw="x" * 4000)), *fills(20, first=4)]
    found: dict[int, Verdict] = {}
    async with open_mosquitto(tmp_path) as (broker, subscriber):
        broker.kill()
        broker.limits = [limit]
        await broker.start()
        await trio.to_thread.run_sync(subscriber.wait_subscribed)
        async with sink_to(broker.address) as sink:
            with trio.fail_after(30):
                while rest := [one for one in items if one.record.seq not in found]:
                    answer = await deliver(sink, rest)
                    for one, verdict in zip(rest, answer.verdicts, strict=True):
                        if isinstance(verdict, Accepted | Refused):
                            found[one.record.seq] = verdict
        heard = await subscriber.catch_up()

    refused = {seq: one.reason for seq, one in found.items() if isinstance(one, Refused)}
    assert {3: reason} == refused
    good = [one.body for one in items if one.record.seq != 3]
    assert good == list(dict.fromkeys(one.payload for one in heard))


async def test_the_probe(tmp_path: Path):
    """`check --connect` logs in, and tells that nobody listens."""
    async with open_mosquitto(tmp_path) as (broker, _):
        [good] = await probe_mqtt(MqttSettings(server=broker.address), context())
    [gone] = await probe_mqtt(MqttSettings(server="127.0.0.1:1"), context())

    assert [True, False] == [good.ok, gone.ok]
    assert "127.0.0.1:1" in gone.detail


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"server": "mqtt://localhost"}, "server"),
        ({"topic": "gateway/#"}, "topic"),
        ({"topic": "gateway/{pair}"}, "topic"),
        ({"password": Secret.of("x")}, "username"),
    ],
)
def test_mistakes(settings: dict[str, Any], key: str):
    """Options that cannot work are found before the start."""
    found = MqttSettings(**({"server": "localhost"} | settings)).problems()

    assert [key] == [where for where, _ in found]
