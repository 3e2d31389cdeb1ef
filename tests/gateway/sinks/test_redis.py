"""What is special to the redis sink: streams, trimming, last states, topologies, its troubles."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Item, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.delivery.attempt import attempt
from gateway.delivery.policy import Result
from gateway.errors import ExtraMissing
from gateway.events.model import Balance, Order, OrderStatus, Position, PositionSide
from gateway.events.numbers import PlainDecimal
from gateway.sinks.extras import load_client, missing_extra
from gateway.sinks.redis import RedisSettings, open_redis, probe_redis
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import deliver, deliver_all, fills, ids, item
from tests.doubles.events import fill_event
from tests.doubles.link import open_link
from tests.doubles.servers.certificates import make_certificates
from tests.doubles.servers.process import HOST
from tests.doubles.servers.redis import (
    RedisNode,
    RedisServer,
    open_redis_cluster,
    open_redis_sentinel,
    open_redis_server,
)

PASSWORD = "password-of-redis"


def context(timeout: float = 15) -> SinkContext:
    """What the house hands over."""
    return SinkContext(
        name="stream",
        state_dir=Path("/nonexistent"),
        options=SinkOptions(type="redis", timeout=Seconds(timeout)),
        clock=WALL_CLOCK,
        redactor=Redactor(),
    )


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A server that is up."""
    async with open_redis_server(tmp_path, PASSWORD) as up:
        yield up


def settings_for(server: RedisServer, **settings: Any) -> RedisSettings:
    """Options that lead to it."""
    given = {"servers": (server.address,), "password": Secret.of(PASSWORD)} | settings
    return RedisSettings(**given)


@asynccontextmanager
async def sink_to(server: RedisServer, **settings: Any) -> AsyncIterator[Any]:
    """The sink in front of it."""
    async with open_redis(settings_for(server, **settings), context()) as sink:
        yield sink


async def held(server: RedisServer, stream: str) -> list[str]:
    """Ids in a stream."""
    return [fields["id"] for fields in await server.entries(stream)]


# --- what is written --------------------------------------------------------------


async def test_an_entry_holds_the_event(server: RedisServer):
    """An entry has the event's JSON, and what consumers select by beside it."""
    [one] = fills(1)
    async with sink_to(server) as sink:
        await deliver_all(sink, [one])

    [entry] = await server.entries("events:lbank-main:fill")
    assert one.body.decode() == entry.pop("event")
    assert {"id": one.record.id, "seq": "1", "kind": "fill", "account": "lbank-main"} == entry


@pytest.mark.parametrize("trimming", [{"max_length": 100}, {"max_age": Seconds(0.001)}])
async def test_a_stream_is_trimmed(server: RedisServer, trimming: dict[str, Any]):
    """A stream keeps about as much as it is allowed to, and always the newest."""
    async with sink_to(server, stream="events", **trimming) as sink:
        await deliver_all(sink, fills(900))
        await trio.sleep(0.01)  # the age of what is to be trimmed
        await deliver_all(sink, fills(1, first=901))

    kept = await held(server, "events")
    assert ids(fills(1, first=901)) == kept[-1:]
    assert 1 <= len(kept) <= 300


async def test_events_are_published(server: RedisServer):
    """With `publish` who listens to the channel gets each event's JSON."""
    [one] = fills(1)
    async with server.client() as client:
        listener = client.pubsub(channels=["fill.ETH/BTC"])
        async with listener:
            await listener.get_message(timeout=5)  # the confirmation
            async with sink_to(server, publish="{kind}.{symbol}") as sink:
                await deliver_all(sink, [one])
            message = await listener.get_message(timeout=5)

    assert message is not None
    assert one.body == message["data"]


def states() -> list[Any]:
    """An order that opens, another that opens and ends, a balance twice, a position."""
    event = fill_event(1)

    def order(number: str, status: OrderStatus) -> Order:
        final = status is OrderStatus.FILLED
        return Order(order_id=number, status=status, venue_status="x", final=final)

    def balance(total: str) -> Balance:
        number = PlainDecimal(total)
        return Balance(asset="BTC", available=number, held=PlainDecimal("0"), total=number)

    bodies = [
        order("o-1", OrderStatus.NEW),
        order("o-2", OrderStatus.NEW),
        order("o-2", OrderStatus.FILLED),
        balance("1"),
        balance("2"),
        Position(side=PositionSide.FLAT, quantity=PlainDecimal("0")),
    ]
    return [
        item(seq, msgspec.structs.replace(event, id=f"{seq:032x}", body=body))
        for seq, body in enumerate(bodies, start=1)
    ]


async def test_last_states_are_kept(server: RedisServer):
    """With `latest` hashes hold open orders, balances and positions as they are now."""
    items = states()
    async with sink_to(server, latest="latest:{account}:{kind}") as sink:
        await deliver_all(sink, items)

    async def seqs(kind: str) -> dict[str, int]:
        async with server.client() as client:
            stored = await client.hgetall(f"latest:lbank-main:{kind}")
        return {name.decode(): json.loads(event)["seq"] for name, event in stored.items()}

    assert {"o-1": 1} == await seqs("order")
    assert {"BTC": 5} == await seqs("balance")
    assert {"eth_btc": 6} == await seqs("position")


# --- trouble ----------------------------------------------------------------------


async def test_a_batch_is_added_whole_or_not_at_all(server: RedisServer):
    """A server that runs full in the middle of a batch holds none of it."""
    async with sink_to(server, stream="events") as sink:
        await deliver_all(sink, fills(1))
        await server.ask("CONFIG", "SET", "maxmemory", "1")
        answer = await deliver(sink, fills(50, first=2))

    assert Result.LATER is answer.result
    assert "OOM" in str(answer.trouble)
    assert "0.02455211" not in str(answer.trouble)
    assert ids(fills(1)) == await held(server, "events")


async def test_a_paused_server_is_waited_for(server: RedisServer):
    """A server that stops answering costs one time limit, and later nothing is missing."""
    async with sink_to(server, stream="events") as sink:
        await deliver_all(sink, fills(3))
        server.pause()
        with trio.move_on_after(0.2) as limit:
            await sink.deliver(fills(3, first=4))
        server.resume()
        await deliver_all(sink, fills(3, first=4))

    assert limit.cancelled_caught
    assert ids(fills(6)) == list(dict.fromkeys(await held(server, "events")))


async def test_a_changed_password(server: RedisServer):
    """A refused login says what to look at; when the password fits again it goes on."""
    async with sink_to(server, stream="events") as sink:
        await deliver_all(sink, fills(1))
        await server.ask("CONFIG", "SET", "requirepass", "another-password")
        await server.end_connections("another-password")
        answers = [await deliver(sink, fills(1, first=2)) for _ in range(2)]
        async with server.client("another-password") as client:
            await client.config_set({"requirepass": PASSWORD})
        await deliver_all(sink, fills(1, first=2))

    assert {Result.LATER} == {answer.result for answer in answers}
    assert "look at `username` and `password`" in str(answers[-1].trouble)
    assert PASSWORD not in repr(answers)
    assert ids(fills(2)) == await held(server, "events")


async def test_a_key_of_another_type(server: RedisServer):
    """A key that is no stream keeps only its own events waiting."""
    await server.ask("SET", "fill", "something else")
    items = [*fills(1), states()[4]]
    async with sink_to(server, stream="{kind}") as sink:
        answer = await deliver(sink, items)

    assert Result.PARTLY is answer.result
    assert "wrong kind of value" in str(answer.trouble)
    assert [items[1].record.id] == await held(server, "balance")


async def test_tls(tmp_path: Path):
    """A certificate of the right authority is accepted, any other is not."""
    files = make_certificates(tmp_path / "certificates")
    async with open_redis_server(tmp_path / "redis", PASSWORD, files) as server:
        async with sink_to(server, tls=True, ca_file=files.ca) as sink:
            await deliver_all(sink, fills(3))
        async with sink_to(server, tls=True, ca_file=files.other_ca) as sink:
            answer = await deliver(sink, fills(3))
        findings = [
            await probe_redis(settings_for(server, tls=True, ca_file=ca_file), context())
            for ca_file in (files.ca, files.other_ca)
        ]

    assert Result.LATER is answer.result
    assert "certificate" in str(answer.trouble)
    assert [True, False] == [finding.ok for [finding] in findings]


# --- topologies -------------------------------------------------------------------


def of_many_accounts(count: int, first: int = 1) -> list[Item]:
    """Fills of as many accounts, whose streams are in slots of all nodes."""
    numbers = range(first, first + count)
    return [item(seq, fill_event(seq, account=f"desk-{seq % 30}")) for seq in numbers]


async def in_cluster(node: RedisNode) -> set[str]:
    """Ids in all streams of a cluster."""
    async with node.cluster_client() as client:
        streams = [await client.xrange(f"events:desk-{number}:fill") for number in range(30)]
    return {entry.field_values[b"id"].decode() for entries in streams for entry in entries}


async def test_a_cluster(tmp_path: Path):
    """Streams are spread over its nodes; while one is gone only its events wait."""
    items = of_many_accounts(60)
    async with (
        open_redis_cluster(tmp_path, PASSWORD) as nodes,
        sink_to(nodes[0], topology="cluster") as sink,
    ):
        await deliver_all(sink, items)
        sizes = [await node.ask("DBSIZE") for node in nodes]
        await with_a_silent_server_first(nodes[0], topology="cluster")
        nodes[2].kill()
        answer = await deliver(sink, of_many_accounts(30, first=61))
        await nodes[2].start()
        await deliver_all(sink, of_many_accounts(30, first=61))
        held = await in_cluster(nodes[0])

    assert min(sizes) > 0
    assert 30 == sum(sizes)
    assert answer.result in {Result.LATER, Result.PARTLY}
    assert set(ids(of_many_accounts(90))) == held


async def test_slots_that_move(tmp_path: Path):
    """A node that hands a stream to another, as in a failover, is left for that one."""
    async with (
        open_redis_cluster(tmp_path, PASSWORD) as nodes,
        sink_to(nodes[0], topology="cluster", stream="events") as sink,
    ):
        await deliver_all(sink, fills(3))
        await hand_over(nodes, "events")
        await deliver_all(sink, fills(3, first=4))
        async with nodes[0].cluster_client() as client:
            entries = await client.xrange("events")

    assert ids(fills(6)) == [entry.field_values[b"id"].decode() for entry in entries]


async def hand_over(nodes: list[RedisNode], key: str) -> None:
    """Have a key and its slot belong to the node behind its owner."""
    slot = await nodes[0].ask_cluster("KEYSLOT", key)
    owner = [await owns(node, slot) for node in nodes].index(True)
    source, target = nodes[owner], nodes[(owner + 1) % len(nodes)]
    name = await target.ask_cluster("MYID")
    await target.ask_cluster("SETSLOT", slot, "IMPORTING", await source.ask_cluster("MYID"))
    await source.ask_cluster("SETSLOT", slot, "MIGRATING", name)
    where = [HOST, str(target.port), key, "0", "5000", "AUTH", PASSWORD]
    await source.ask("MIGRATE", *where)
    for node in (target, source):
        await node.ask_cluster("SETSLOT", slot, "NODE", name)


async def owns(node: RedisNode, slot: str) -> bool:
    """Whether the slot is the node's."""
    [mine] = [line for line in (await node.ask_cluster("NODES")).splitlines() if "myself" in line]
    for part in mine.split()[8:]:
        first, _, last = part.partition("-")
        if int(first) <= int(slot) <= int(last or first):
            return True
    return False


async def with_a_silent_server_first(server: RedisServer, **settings: Any) -> None:
    """One that is there and says nothing costs one attempt; the next begins with another."""
    settings = {"servers": (server.address,)} | settings
    async with open_link(1) as link:
        link.silence()
        settings["servers"] = (link.address, *settings["servers"])
        house = context(timeout=1)
        async with open_redis(settings_for(server, **settings), house) as sink:
            answers = [await attempt(sink, states()[3:5], seconds) for seconds in (1, 10)]

    assert link.connections > 0
    assert [Result.TIMEOUT, Result.ACCEPTED] == [answer.result for answer in answers]


async def test_sentinels(tmp_path: Path):
    """The primary is the one that the sentinels name, also after a failover."""
    async with open_redis_sentinel(tmp_path, PASSWORD) as (primary, replica, sentinel):
        where = {"topology": "sentinel", "service": "desk", "servers": (sentinel.address,)}
        await with_a_silent_server_first(primary, **where)
        async with sink_to(primary, stream="events", **where) as sink:
            await deliver_all(sink, fills(3))
            await primary.ask("WAIT", "1", "5000")
            primary.kill()
            answer = await deliver(sink, fills(1, first=4))
            await deliver_all(sink, fills(1, first=4))

        assert Result.LATER is answer.result
        assert ids(fills(4)) == await held(replica, "events")


# --- before the start -------------------------------------------------------------


async def test_the_probe(server: RedisServer):
    """`check --connect` logs in, writes nothing, and tells a refused login."""
    [good] = await probe_redis(settings_for(server), context())
    [bad] = await probe_redis(settings_for(server, password=Secret.of("wrong-one")), context())
    server.kill()
    [gone] = await probe_redis(settings_for(server), context())

    assert good.ok
    assert not bad.ok
    assert not gone.ok
    assert "look at `username` and `password`" in bad.detail
    assert server.address in gone.detail
    assert "wrong-one" not in bad.detail


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"servers": ()}, "servers"),
        ({"servers": ("redis://localhost",)}, "servers[0]"),
        ({"servers": ("localhost:99999",)}, "servers[0]"),
        ({"servers": ("a", "b")}, "servers"),
        ({"stream": "events:{acount}"}, "stream"),
        ({"stream": "events {kind}"}, "stream"),
        ({"stream": ""}, "stream"),
        ({"latest": "{}"}, "latest"),
        ({"max_length": 5, "max_age": Seconds(5)}, "max_age"),
        ({"topology": "cluster", "database": 3}, "database"),
        ({"topology": "sentinel"}, "service"),
        ({"service": "desk"}, "service"),
    ],
)
def test_mistakes(settings: dict[str, Any], key: str):
    """Options that cannot work are found before the start."""
    found = RedisSettings(**({"servers": ("localhost",)} | settings)).problems()

    assert [key] == [where for where, _ in found]


def test_a_missing_extra():
    """Where the library is not installed, the command that installs it is told."""
    [(key, problem)] = missing_extra("no_such_library", extra="redis")
    with pytest.raises(ExtraMissing, match=r"exchange-event-gateway\[redis\]"):
        load_client("no_such_library", extra="redis")

    assert "type" == key
    assert "pip install 'exchange-event-gateway[redis]'" in problem
