"""What is special to the nats sink: subjects, the stream, duplicates, limits, its troubles."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from nats.js.api import DiscardPolicy

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import ACCEPTED, Item, Refused, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.delivery.policy import Result
from gateway.sinks.nats import NatsSettings, open_nats, probe_nats
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import deliver, deliver_all, fills, ids, item
from tests.doubles.events import fill_event
from tests.doubles.link import open_link
from tests.doubles.servers.certificates import make_certificates
from tests.doubles.servers.nats import USER, NatsServer, open_nats_server
from tests.doubles.servers.process import free_port

PASSWORD = "password-of-nats"


def context(timeout: float = 15) -> SinkContext:
    """What the house hands over."""
    return SinkContext(
        name="bus",
        state_dir=Path("/nonexistent"),
        options=SinkOptions(type="nats", timeout=Seconds(timeout)),
        clock=WALL_CLOCK,
        redactor=Redactor(),
    )


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """A server that is up."""
    async with open_nats_server(tmp_path, PASSWORD) as up:
        yield up


def settings_for(server: NatsServer, **settings: Any) -> NatsSettings:
    """Options that lead to it."""
    given = {"servers": (server.address,), "username": USER, "password": Secret.of(PASSWORD)}
    return NatsSettings(**(given | settings))


@asynccontextmanager
async def sink_to(server: NatsServer, timeout: float = 15, **settings: Any) -> AsyncIterator[Any]:
    """The sink in front of it."""
    async with open_nats(settings_for(server, **settings), context(timeout)) as sink:
        yield sink


def large(seq: int, characters: int) -> Item:
    """A fill with this much raw text."""
    return item(seq, msgspec.structs.replace(fill_event(seq), raw="x" * characters))


async def held(server: NatsServer, stream: str = "gateway") -> list[str]:
    """The message ids in a stream."""
    return [headers["Nats-Msg-Id"] for _, headers, _ in await server.messages(stream)]


async def test_a_message(server: NatsServer):
    """An event goes to the subject of its account, kind and symbol, as its JSON."""
    [one] = fills(1)
    odd = item(2, msgspec.structs.replace(fill_event(2), symbol="A.B *>"))
    async with sink_to(server) as sink:
        await deliver_all(sink, [one, odd])

    [(subject, headers, body), (odd_subject, _, _)] = await server.messages("gateway")
    assert "gateway.lbank-main.fill.ETH/BTC" == subject
    assert "gateway.lbank-main.fill.A-B---" == odd_subject
    assert one.record.id == headers["Nats-Msg-Id"]
    assert one.body == body


async def test_what_comes_again_is_recognised(server: NatsServer):
    """The same events again, after a restart of both, stand in the stream once."""
    async with sink_to(server) as sink:
        await deliver_all(sink, fills(20))
    server.kill()
    await server.start()
    async with sink_to(server) as sink:
        await deliver_all(sink, fills(30))

    assert ids(fills(30)) == await held(server)
    assert 7200 == await server.duplicate_window("gateway")


async def test_a_value_may_be_a_part_of_a_part(server: NatsServer):
    """A subject's parts may be made of text and values: the stream keeps them all."""
    async with sink_to(server, subject="desk-{account}.{kind}s") as sink:
        await deliver_all(sink, fills(1))

    [(subject, _, _)] = await server.messages("gateway")
    assert "desk-lbank-main.fills" == subject


async def test_a_message_too_large(server: NatsServer):
    """What the server takes from nobody is refused; the rest of its batch is not."""
    server.kill()
    server.max_payload = 65536
    await server.start()
    async with sink_to(server) as sink:
        answer = await deliver(sink, [*fills(1), large(2, 100_000), *fills(1, first=3)])

    assert isinstance(answer.verdicts[1], Refused)
    assert "too_large" == answer.verdicts[1].reason
    assert [ACCEPTED] * 2 == [answer.verdicts[0], answer.verdicts[2]]
    assert ids([*fills(1), *fills(1, first=3)]) == await held(server)


async def test_a_full_stream(server: NatsServer):
    """A stream that is full and keeps what is old takes nothing: that waits."""
    await server.add_stream("full", "gateway.>", max_msgs=2, discard=DiscardPolicy.NEW)
    async with sink_to(server, stream="full") as sink:
        answer = await deliver(sink, fills(3))

    assert [ACCEPTED] * 2 == list(answer.verdicts[:2])
    assert Result.PARTLY is answer.result
    assert "maximum messages exceeded" in str(answer.trouble)


async def test_no_stream(server: NatsServer):
    """Without a stream nobody acknowledges, and the sink says what is missing."""
    async with sink_to(server, create_stream=False) as sink:
        answer = await deliver(sink, fills(2))
    async with sink_to(server) as sink:
        await deliver_all(sink, fills(2))

    assert Result.LATER is answer.result
    assert "`create_stream`" in str(answer.trouble)
    assert ids(fills(2)) == await held(server)


async def test_a_paused_server(server: NatsServer):
    """A server that stops answering costs one time limit, and later nothing is missing."""
    async with sink_to(server) as sink:
        await deliver_all(sink, fills(3))
        server.pause()
        with trio.move_on_after(0.3) as limit:
            await sink.deliver(fills(3, first=4))
        server.resume()
        await deliver_all(sink, fills(3, first=4))

    assert limit.cancelled_caught
    assert ids(fills(6)) == await held(server)


async def test_tls(tmp_path: Path):
    """A certificate of the right authority is accepted, any other is not."""
    files = make_certificates(tmp_path / "certificates")
    async with open_nats_server(tmp_path / "nats", PASSWORD, files) as server:
        async with sink_to(server, tls=True, ca_file=files.ca) as sink:
            await deliver_all(sink, fills(3))
        async with sink_to(server, tls=True, ca_file=files.other_ca) as sink:
            answer = await deliver(sink, fills(3))

    assert Result.LATER is answer.result
    assert "certificate" in str(answer.trouble)


async def test_a_silent_server_is_not_the_only_one(server: NatsServer):
    """One that is there and says nothing costs part of a time limit; the next one is used."""
    async with open_link(server.port) as link:
        link.silence()
        async with sink_to(server, timeout=2, servers=(link.address, server.address)) as sink:
            await deliver_all(sink, fills(3))

    assert link.connections > 0
    assert ids(fills(3)) == await held(server)


async def test_each_server_has_its_own_certificate(tmp_path: Path):
    """Of several servers each is known by its own name, not by that of the first."""
    files = make_certificates(tmp_path / "certificates")
    async with open_nats_server(tmp_path / "nats", PASSWORD, files) as server:
        servers = (f"localhost:{free_port()}", server.address)
        async with sink_to(server, tls=True, ca_file=files.ca, servers=servers) as sink:
            answer = await deliver(sink, fills(3))

    assert Result.ACCEPTED is answer.result, answer


async def test_the_probe(server: NatsServer):
    """`check --connect` logs in, makes nothing, and tells a refused login."""
    good, _ = await probe_nats(settings_for(server), context())
    [bad] = await probe_nats(settings_for(server, password=Secret.of("wrong-one")), context())
    server.kill()
    [gone] = await probe_nats(settings_for(server), context())

    assert [True, False, False] == [good.ok, bad.ok, gone.ok]
    assert "look at `username`" in bad.detail
    assert server.address in gone.detail
    assert "wrong-one" not in bad.detail


async def test_the_probe_looks_for_the_stream(server: NatsServer):
    """It tells whether the stream is there, is to be made, or is missing."""
    _, unmade = await probe_nats(settings_for(server), context())
    [missing] = await probe_nats(settings_for(server, create_stream=False), context())
    async with sink_to(server) as sink:
        await deliver_all(sink, fills(1))
    _, made = await probe_nats(settings_for(server, create_stream=False), context())

    assert [True, False, True] == [unmade.ok, missing.ok, made.ok]
    assert "to be made" in unmade.detail
    assert "create_stream: true" in missing.detail
    assert "is there" in made.detail


async def test_the_probe_tells_a_short_duplicate_window(server: NatsServer):
    """A stream that somebody else made may forget ids sooner than the sink was told it would."""
    await server.add_stream("gateway", "gateway.>", duplicate_window=60)
    _, short = await probe_nats(settings_for(server), context())
    _, known = await probe_nats(settings_for(server, duplicate_window=Seconds(60)), context())

    assert [False, True] == [short.ok, known.ok]
    assert "for 60 s only" in short.detail
    assert "duplicate_window: 60s" in short.detail


@pytest.mark.parametrize(
    ("keeps", "fits"),
    [
        (">", True),
        ("gateway.>", True),
        ("gateway.*.*.*", True),
        ("gateway.*.*", False),
        ("gateway.*.fill.*", False),
        ("gateway.*.*.*.>", False),
        ("elsewhere.>", False),
    ],
)
async def test_the_probe_tells_a_stream_that_keeps_other_subjects(
    server: NatsServer, keeps: str, fits: bool
):
    """Events that no stream keeps are never acknowledged: that shows before the start."""
    await server.add_stream("gateway", keeps, duplicate_window=7200, no_ack=True)
    _, found = await probe_nats(settings_for(server), context())

    assert fits == found.ok, found.detail
    assert fits or "it does not keep gateway.*.*.*" in found.detail


async def test_a_server_without_jetstream(server: NatsServer):
    """Nothing is lost, and it is said what is missing."""
    server.kill()
    server.jetstream = False
    await server.start()
    [finding] = await probe_nats(settings_for(server), context())
    async with sink_to(server) as sink:
        answer = await deliver(sink, fills(1))

    assert not finding.ok
    assert "no JetStream here" in finding.detail
    assert Result.LATER is answer.result
    assert "no JetStream here" in str(answer.trouble)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"servers": ()}, "servers"),
        ({"servers": ("nats://localhost",)}, "servers[0]"),
        ({"subject": "gateway.{pair}"}, "subject"),
        ({"subject": "gateway.*"}, "subject"),
        ({"subject": "gateway..{kind}"}, "subject"),
        ({"stream": "a.b"}, "stream"),
        ({"max_age": Seconds(60)}, "duplicate_window"),
        ({"username": "desk"}, "password"),
        ({"password": Secret.of("x"), "credentials_file": Path("x")}, "credentials_file"),
    ],
)
def test_mistakes(settings: dict[str, Any], key: str):
    """Options that cannot work are found before the start."""
    found = NatsSettings(**({"servers": ("localhost",)} | settings)).problems()

    assert [key] == [where for where, _ in found]
