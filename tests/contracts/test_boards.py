"""The same tests for every engine of a cluster, and for the double that stands in for one."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path

import msgspec
import pytest
import trio

from gateway.cluster.board import BoardUnavailable, Engine
from gateway.cluster.engines import ENGINES
from gateway.cluster.notes import LEASE_SECONDS
from gateway.cluster.settings import ClusterSettings
from gateway.contracts.sink import Item, Record
from gateway.contracts.values import Secret
from gateway.events.codec import encode
from gateway.events.model import Event
from gateway.events.times import to_nanoseconds
from tests.doubles.board import Shared
from tests.doubles.events import fill_event, stream_event
from tests.doubles.servers.certificates import make_certificates
from tests.doubles.servers.nats import USER, open_nats_server
from tests.doubles.servers.postgres import PostgresServer, running_postgres
from tests.doubles.servers.process import free_port

PASSWORD = "board-password"
ACCOUNT = "lbank-main"
NUMBERS = count(1)

NOBODY = (
    ClusterSettings(engine="nats", url="nats://127.0.0.1:1"),
    ClusterSettings(engine="postgres", url="postgresql://127.0.0.1:1/desk", username="desk"),
)
"""Engines where nobody listens."""

HEARD_NS = to_nanoseconds(fill_event(1).received_time)
AFTER_NS = HEARD_NS + 10**9


class Turns:
    """Which epoch each seq belongs to, as a test says."""

    def __init__(self, epoch: int | None) -> None:
        self.epoch = epoch
        self.passed_over: list[str] = []
        """Ids that the log did not take."""

    def epoch_of(self, _account: str, _seq: int) -> int | None:
        return self.epoch

    def pass_over(self, _account: str, event_id: str) -> None:
        self.passed_over.append(event_id)


class TwoGateways(msgspec.Struct):
    """Two gateways on one engine."""

    one: Engine
    two: Engine
    first: Turns
    second: Turns


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """One server for all; each test has a database of its own."""
    with running_postgres() as up:
        yield up


@asynccontextmanager
async def on_nats(folder: Path) -> AsyncIterator[ClusterSettings]:
    """A server of its own."""
    async with open_nats_server(folder, PASSWORD) as server:
        yield ClusterSettings(
            engine="nats",
            url=f"nats://{server.address}",
            username=USER,
            password=Secret.of(PASSWORD),
        )


@asynccontextmanager
async def on_postgres(server: PostgresServer) -> AsyncIterator[ClusterSettings]:
    """A database of its own."""
    database = f"desk{next(NUMBERS)}"
    server.add_database(database, PASSWORD)
    yield ClusterSettings(
        engine="postgres",
        url=f"postgresql://{server.address}/{database}",
        username=database,
        password=Secret.of(PASSWORD),
    )


@pytest.fixture(params=["memory", "nats", "postgres"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AbstractAsyncContextManager[ClusterSettings] | None:
    """Where the gateways meet; None for the double."""
    match request.param:
        case "nats":
            return on_nats(tmp_path)
        case "postgres":
            return on_postgres(request.getfixturevalue("postgres"))
    return None


@pytest.fixture
async def gateways(
    place: AbstractAsyncContextManager[ClusterSettings] | None,
) -> AsyncIterator[TwoGateways]:
    """Two gateways, the first in epoch 1 and the second in epoch 2."""
    first, second = Turns(1), Turns(2)
    if place is None:
        shared = Shared()
        yield TwoGateways(shared.engine(first), shared.engine(second), first, second)
        return
    async with place as settings:
        open_engine = ENGINES[settings.engine]
        async with open_engine(settings, first) as one, open_engine(settings, second) as two:
            yield TwoGateways(one, two, first, second)


def item(seq: int, event: Event) -> Item:
    """An event of a journal, on its way to the log."""
    encoded = encode(event)
    record = Record(
        seq, event.id, event.kind, event.account, event.symbol, event.venue_symbol,
        to_nanoseconds(event.received_time), encoded.tail, encoded.raw,
    )  # fmt: skip
    return Item(record, record.native(include_raw=False))


async def logged(engine: Engine, after: int = 0) -> list[tuple[int, int]]:
    """Epoch and seq of what stands in the log in order."""
    return [(one.epoch, one.seq) for one in await engine.log.read(ACCOUNT, after)]


async def test_a_note_is_written_by_one(gateways: TwoGateways):
    """Of two writes against the same revision one gets through."""
    one, two = gateways.one.board, gateways.two.board
    revision = await one.write("owners.a", b"one", 0)

    assert revision
    assert await two.write("owners.a", b"two", 0) is None
    assert b"one" == (await two.read("owners.a")).value
    assert await two.write("owners.a", b"two", revision) > revision
    assert await one.write("owners.a", b"one", revision) is None


async def test_news_are_what_was_written_since(gateways: TwoGateways):
    """Notes under a prefix come in the order of their writes, each as last written."""
    board = gateways.one.board
    first = await board.write("owners.a", b"1", 0)
    await board.write("books.a", b"-", 0)
    second = await board.write("owners.b", b"2", 0)
    third = await board.write("owners.a", b"3", first)

    news = await gateways.two.board.news("owners", 0)
    assert [("owners.b", b"2", second), ("owners.a", b"3", third)] == [
        (one.key, one.value, one.revision) for one in news
    ]
    assert [third] == [one.revision for one in await gateways.two.board.news("owners", second)]
    assert [] == list(await gateways.two.board.news("owners", third))


async def test_many_news_come_in_order(gateways: TwoGateways):
    """A gateway that starts reads all that stands there, and nothing of other notes."""
    async with trio.open_nursery() as nursery:
        for number in range(600):
            nursery.start_soon(gateways.one.board.write, f"owners.a{number}", b"1", 0)
            if number % 10 == 0:
                nursery.start_soon(gateways.one.board.write, f"books.a{number}", b"2", 0)

    found = await gateways.two.board.news("owners", 0)
    assert {f"owners.a{number}" for number in range(600)} == {note.key for note in found}
    assert [note.revision for note in found] == sorted({note.revision for note in found})
    assert [] == await gateways.two.board.news("owners", found[-1].revision)


async def test_nothing_stands_where_nothing_was_written(gateways: TwoGateways):
    """A note that nobody wrote is None, and an empty board has no news."""
    assert await gateways.one.board.read("owners.nobody") is None
    assert [] == list(await gateways.one.board.news("owners", 0))
    assert {} == await gateways.one.board.kept()


async def test_a_kept_note_goes_away_by_itself(gateways: TwoGateways):
    """A kept note stands for its lease, and no longer unless it is said again."""
    board = gateways.one.board
    await board.keep("one", b"1")
    await board.keep("two", b"2")
    assert {"one": b"1", "two": b"2"} == await gateways.two.board.kept()
    await board.let_go("two")
    assert {"one": b"1"} == await gateways.two.board.kept()

    with trio.fail_after(LEASE_SECONDS + 10):
        while await gateways.two.board.kept():  # noqa: ASYNC110 # another process
            await trio.sleep(0.1)


async def test_the_log_holds_each_event_once_in_order(gateways: TwoGateways):
    """What is delivered again, by whichever gateway, stands in the log once."""
    told = [item(seq, fill_event(seq)) for seq in range(1, 6)]
    await gateways.one.log.deliver(told[:3])
    await gateways.one.log.deliver(told[:4])
    fourth = await gateways.one.log.last_position(ACCOUNT)
    await gateways.one.log.deliver(told)
    assert await gateways.two.log.fence(ACCOUNT, 2, AFTER_NS)
    await gateways.two.log.deliver(told)

    assert [(1, seq) for seq in range(1, 6)] == await logged(gateways.two)
    assert [(1, 5)] == await logged(gateways.two, fourth)


async def test_what_was_made_outside_of_any_ownership_is_not_told(gateways: TwoGateways):
    """An event that belongs to no epoch of ours is passed over."""
    gateways.first.epoch = None
    await gateways.one.log.deliver([item(1, fill_event(1))])

    assert [] == await logged(gateways.one)


async def test_a_fence_shuts_a_former_owner_out(gateways: TwoGateways):
    """Behind a fence an earlier epoch writes nothing in order any more, whatever it believes."""
    await gateways.one.log.deliver([item(1, fill_event(1))])

    assert await gateways.two.log.fence(ACCOUNT, 2, AFTER_NS)
    await gateways.one.log.deliver([item(2, fill_event(2)), item(3, stream_event(3))])
    await gateways.two.log.deliver([item(1, fill_event(4))])
    await gateways.one.log.deliver([item(4, fill_event(5))])

    assert [(1, 1), (2, 1)] == await logged(gateways.two)
    assert not await gateways.one.log.fence(ACCOUNT, 1, AFTER_NS)


async def test_what_was_heard_behind_the_fence_is_its_successors(gateways: TwoGateways):
    """A fact that a former owner hears late does not take the place of its successor's word."""
    assert await gateways.two.log.fence(ACCOUNT, 2, HEARD_NS)
    await gateways.one.log.deliver([item(1, fill_event(1))])
    await gateways.two.log.deliver([item(1, fill_event(1))])

    assert [(2, 1)] == await logged(gateways.two)


async def test_what_was_heard_before_the_fence_comes_late(gateways: TwoGateways):
    """A fact of a former owner that its successor did not hear is told, though not in order."""
    assert await gateways.two.log.fence(ACCOUNT, 2, AFTER_NS)
    before = await gateways.two.log.last_position(ACCOUNT)
    await gateways.one.log.deliver([item(1, fill_event(1))])

    assert [] == await logged(gateways.two)
    assert await gateways.two.log.last_position(ACCOUNT) > before


async def test_what_was_heard_after_the_fence_is_passed_over(gateways: TwoGateways):
    """It lies in the gap that the successor declared; the former owner is told of it."""
    assert await gateways.two.log.fence(ACCOUNT, 2, HEARD_NS)
    before = await gateways.two.log.last_position(ACCOUNT)
    await gateways.one.log.deliver([item(1, fill_event(1))])

    assert before == await gateways.two.log.last_position(ACCOUNT)
    assert [fill_event(1).id] == gateways.first.passed_over


@pytest.mark.parametrize("settings", NOBODY, ids=lambda settings: settings.engine)
async def test_an_engine_that_is_away_says_so(settings: ClusterSettings):
    """Where nobody answers, every question raises `BoardUnavailable`."""
    async with ENGINES[settings.engine](settings, Turns(1)) as engine:
        with pytest.raises(BoardUnavailable):
            await engine.board.kept()
        with pytest.raises(BoardUnavailable):
            await engine.log.deliver([item(1, fill_event(1))])


@pytest.mark.parametrize("settings", NOBODY, ids=lambda settings: settings.engine)
async def test_a_password_that_cannot_be_read_is_no_end(settings: ClusterSettings):
    """While the password's file is away the engine is: the gateway lives on."""
    away = Secret(source="file", name="/nonexistent/password")
    settings = msgspec.structs.replace(settings, username="desk", password=away)
    async with ENGINES[settings.engine](settings, Turns(1)) as engine:
        with pytest.raises(BoardUnavailable, match="/nonexistent/password"):
            await engine.board.kept()


async def test_each_server_has_its_own_certificate(tmp_path: Path):
    """Of several NATS servers each is known by its own name, not by that of the first."""
    files = make_certificates(tmp_path / "certificates")
    async with open_nats_server(tmp_path / "nats", PASSWORD, files) as server:
        settings = ClusterSettings(
            engine="nats",
            url=f"tls://localhost:{free_port()},{server.address}",
            username=USER,
            password=Secret.of(PASSWORD),
            ca_file=files.ca,
        )
        async with ENGINES["nats"](settings, Turns(1)) as engine:
            for _ in range(3):  # the library tries them in any order
                assert not list(await engine.board.kept())
