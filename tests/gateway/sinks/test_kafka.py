"""What is special to the kafka sink: topics, keys, headers, limits, its troubles."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import ACCEPTED, Refused, SinkContext, SinkOptions
from gateway.contracts.values import Bytes, Seconds, Secret
from gateway.delivery.policy import Result
from gateway.events.model import Kind
from gateway.sinks.kafka import KafkaSettings, open_kafka, probe_kafka
from gateway.sinks.kafka.probe import expected_topics
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import deliver, deliver_all, fills, ids, item
from tests.doubles.events import fill_event
from tests.doubles.servers.kafka import KafkaCluster, open_kafka_cluster


def context(timeout: float = 5, **options: Any) -> SinkContext:
    """What the house hands over."""
    return SinkContext(
        name="bus",
        state_dir=Path("/nonexistent"),
        options=SinkOptions(type="kafka", timeout=Seconds(timeout), **options),
        clock=WALL_CLOCK,
        redactor=Redactor(),
    )


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[KafkaCluster]:
    """A cluster that is up."""
    async with open_kafka_cluster(tmp_path) as up:
        yield up


@asynccontextmanager
async def sink_to(address: str, timeout: float = 5, **settings: Any) -> AsyncIterator[Any]:
    """The sink in front of it."""
    async with open_kafka(KafkaSettings(servers=(address,), **settings), context(timeout)) as sink:
        yield sink


async def test_a_message(cluster: KafkaCluster):
    """The key is the account, the headers tell id, kind and seq, the value is the event."""
    [one] = fills(1)
    async with sink_to(cluster.address, topic="gateway.{kind}.{symbol}") as sink:
        await deliver_all(sink, [one])

    [message] = await cluster.messages("gateway.fill.ETH-BTC")
    assert b"lbank-main" == message.key()
    assert one.body == message.value()
    expected = {"id": one.record.id.encode(), "kind": b"fill", "seq": b"1"}
    assert expected == dict(message.headers() or [])


async def test_a_message_too_large(cluster: KafkaCluster):
    """A message above the limit is refused; the rest of its batch is not."""
    large = item(2, msgspec.structs.replace(fill_event(2), raw="x" * 5000))
    async with sink_to(cluster.address, topic="events", max_message=Bytes(2000)) as sink:
        answer = await deliver(sink, [*fills(1), large, *fills(1, first=3)])

    assert isinstance(answer.verdicts[1], Refused)
    assert "too_large" == answer.verdicts[1].reason
    assert [ACCEPTED] * 2 == [answer.verdicts[0], answer.verdicts[2]]


async def test_a_cut_delivery_ends_its_thread(cluster: KafkaCluster):
    """A delivery to a paused broker that is cut holds up the next one only for a moment."""
    async with sink_to(cluster.address, timeout=60, topic="events") as sink:
        cluster.pause()
        with trio.move_on_after(0.2) as limit:
            await sink.deliver(fills(3))
        cluster.resume()
        await deliver_all(sink, fills(3))

    held = [dict(one.headers() or [])["id"].decode() for one in await cluster.messages("events")]
    assert limit.cancelled_caught
    assert ids(fills(3)) == list(dict.fromkeys(held))


async def test_no_broker():
    """Where nobody listens, the sink says so long before the time limit."""
    async with sink_to("127.0.0.1:1", timeout=25, topic="events") as sink:
        answer = await deliver(sink, fills(2))

    assert Result.LATER is answer.result
    assert "Connection refused" in str(answer.trouble) or "down" in str(answer.trouble)


async def test_the_probe(cluster: KafkaCluster):
    """`check --connect` counts the brokers and tells that there are none."""
    good, _ = await probe_kafka(KafkaSettings(servers=(cluster.address,)), context())
    [gone] = await probe_kafka(KafkaSettings(servers=("127.0.0.1:1",)), context(1))

    assert [True, False] == [good.ok, gone.ok]
    assert "a cluster of 1" in good.detail
    assert "127.0.0.1:1" in gone.detail


async def test_the_probe_names_missing_topics(cluster: KafkaCluster):
    """It tells which are not there yet, and makes none."""
    settings = KafkaSettings(servers=(cluster.address,), topic="desk.{kind}")
    wanted = context(kinds=(Kind.FILL,), stream_events=False)
    found = [(await probe_kafka(settings, wanted))[1].detail for _ in range(2)]
    async with sink_to(cluster.address, topic="desk.{kind}") as sink:
        await deliver_all(sink, fills(1))
    _, made = await probe_kafka(settings, wanted)

    assert found[0] == found[1]
    assert "not there yet: desk.fill (make them" in found[0]
    assert "there: desk.fill" == made.detail


@pytest.mark.parametrize(
    ("topic", "options", "expected"),
    [
        ("events", {}, {"events"}),
        ("a.{kind}", {"kinds": (Kind.FILL,)}, {"a.fill", "a.stream"}),
        ("a.{kind}", {"kinds": (Kind.FILL,), "stream_events": False}, {"a.fill"}),
        ("{account}", {"accounts": ("x", "y")}, {"x", "y"}),
        ("{account}", {}, set()),
        ("a.{symbol}", {}, set()),
    ],
)
def test_topics_that_can_be_named(topic: str, options: dict[str, Any], expected: set[str]):
    """Before any event, as far as the configuration tells."""
    settings = KafkaSettings(servers=("localhost",), topic=topic)

    assert expected == expected_topics(settings, context(**options))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"servers": ()}, "servers"),
        ({"servers": ("kafka://localhost",)}, "servers[0]"),
        ({"topic": "gateway/{kind}"}, "topic"),
        ({"topic": "gateway.{pair}"}, "topic"),
        ({"username": "desk"}, "password"),
        ({"password": Secret.of("x")}, "username"),
        ({"username": "a", "password": Secret.of("x"), "mechanism": "PLAIN"}, "mechanism"),
    ],
)
def test_mistakes(settings: dict[str, Any], key: str):
    """Options that cannot work are found before the start."""
    found = KafkaSettings(**({"servers": ("localhost",)} | settings)).problems()

    assert [key] == [where for where, _ in found]
