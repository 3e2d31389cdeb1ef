"""What the engine `postgres` does in its own way, against a real server.

What every engine does stands in tests/contracts/test_boards.py.
"""

import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any, TypeVar

import msgspec
import pytest
import trio

from gateway.cluster.board import BoardForgot, BoardUnavailable, Engine
from gateway.cluster.postgres import open_postgres
from gateway.cluster.postgres.board import PAGE
from gateway.cluster.postgres.connection import Line
from gateway.cluster.postgres.log import lock_heads
from gateway.cluster.settings import ClusterSettings
from gateway.contracts.sink import ACCEPTED, Refused
from gateway.contracts.values import Secret
from gateway.sinks.postgres.connection import Connection
from tests.contracts.test_boards import ACCOUNT, AFTER_NS, Turns, item, logged
from tests.doubles.events import fill_event
from tests.doubles.servers.postgres import PostgresServer, running_postgres
from tests.doubles.servers.process import HOST

PASSWORD = "engine-password"
NUMBERS = count(1)
PATIENCE_SECONDS = 30

T = TypeVar("T")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One server for all; each test has a database of its own."""
    with running_postgres() as up:
        yield up


class Desk:
    """A database, and engines on it."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.name = f"desk{next(NUMBERS)}"
        server.add_database(self.name, PASSWORD)
        self.settings = ClusterSettings(
            engine="postgres",
            url=f"postgresql://{server.address}/{self.name}",
            name="my-desk",
            username=self.name,
            password=Secret.of(PASSWORD),
        )

    @asynccontextmanager
    async def engine(self, epoch: int = 1, **changes: Any) -> AsyncIterator[Engine]:
        """As one gateway has it."""
        settings = msgspec.structs.replace(self.settings, **changes)
        async with open_postgres(settings, Turns(epoch)) as engine:
            yield engine

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What a reader of the tables finds; their schema is `{}`."""
        return self.server.ask(query.format('"my-desk"'), database=self.name)


@pytest.fixture
def desk(server: PostgresServer) -> Desk:
    """A database without a table."""
    return Desk(server)


async def told(ask: Callable, *arguments: object) -> str:
    """What the engine says is wrong."""
    with pytest.raises(BoardUnavailable) as caught:
        await ask(*arguments)
    return str(caught.value)


async def in_the_end(ask: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """Ask again until the engine answers."""
    with trio.fail_after(PATIENCE_SECONDS):
        while True:
            try:
                return await ask(*arguments)
            except BoardForgot:
                raise
            except BoardUnavailable:
                await trio.sleep(0.1)


async def test_gateways_that_start_at_once_make_the_tables_once(desk: Desk):
    """Of many first questions one makes schema and tables, and all are answered."""
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        for number in range(4):
            engine = await stack.enter_async_context(desk.engine())
            nursery.start_soon(engine.board.keep, f"gateway-{number}", b"1")
            nursery.start_soon(engine.board.kept)

    assert [(1,)] == desk.ask("SELECT version FROM {}.cluster_schema")
    assert [(4,)] == desk.ask("SELECT count(*) FROM {}.cluster_members")


async def test_tables_of_a_newer_gateway_are_left_alone(desk: Desk):
    """A gateway that does not know the tables' version says so, and touches nothing."""
    async with desk.engine() as engine:
        await engine.board.kept()
    desk.ask("UPDATE {}.cluster_schema SET version = 2")

    async with desk.engine() as engine:
        assert "of version 2, and this gateway knows 1" in await told(engine.board.kept)


async def test_a_user_who_may_not_create_is_told(desk: Desk):
    """Without tables, and without the right to make them, the error says what is needed."""
    desk.server.ask(f"REVOKE CREATE ON DATABASE {desk.name} FROM PUBLIC")
    desk.server.ask(f"ALTER DATABASE {desk.name} OWNER TO postgres")

    async with desk.engine() as engine:
        assert "CREATE to make them" in await told(engine.board.kept)


async def test_a_wrong_password_is_told(desk: Desk):
    """The error says where to look, and not the password."""
    desk.server.set_password(desk.name, "another")

    async with desk.engine() as engine:
        said = await told(engine.board.keep, "one", b"1")

    assert "look at `username` and `password`" in said
    assert PASSWORD not in said


async def test_whoever_saw_a_revision_saw_all_before_it(desk: Desk):
    """Notes written side by side become visible in the order of their revisions."""
    seen: set[str] = set()
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(desk.engine()) for _ in range(4)]
        reader = await stack.enter_async_context(desk.engine())
        async with trio.open_nursery() as nursery:
            for number, writer in enumerate(writers):
                nursery.start_soon(write_many, writer, f"owners.{number}")
            newest = 0
            with trio.fail_after(PATIENCE_SECONDS):
                while len(seen) < 4 * 25:
                    for note in await reader.board.news("owners", newest):
                        newest = note.revision
                        seen.add(note.key)


async def write_many(engine: Engine, prefix: str) -> None:
    """Write 25 notes."""
    for number in range(25):
        assert await engine.board.write(f"{prefix}-{number}", b"-", 0)


async def test_news_are_read_page_by_page(desk: Desk):
    """However many notes there are, all of them come, and in their order."""
    many = 2 * PAGE + 1
    async with desk.engine() as engine:
        await engine.board.kept()
        desk.ask(
            "INSERT INTO {}.cluster_notes (key, topic, revision, value)"
            f" SELECT 'owners.' || n, 'owners', n, 'x' FROM generate_series(1, {many}) AS n"
        )
        news = await engine.board.news("owners", 0)

    assert list(range(1, many + 1)) == [note.revision for note in news]


async def test_a_server_that_answers_nothing_is_left(desk: Desk):
    """A question to a paused server ends in time, and the next one is answered once it goes on."""
    async with desk.engine() as engine:
        await engine.board.keep("one", b"1")
        desk.server.pause_backends(desk.name)
        with trio.fail_after(PATIENCE_SECONDS):
            assert "does not answer" in await told(engine.board.keep, "one", b"2")
        desk.server.resume_all()

        await in_the_end(engine.board.keep, "one", b"3")
        assert {"one": b"3"} == await in_the_end(engine.board.kept)


async def test_a_host_that_never_answers_is_passed_over(desk: Desk):
    """Where the first host is silent, the engine is that of the second within seconds."""
    with socket.create_server((HOST, 0)) as silent:
        url = f"postgresql://{HOST}:{silent.getsockname()[1]},{desk.server.address}/{desk.name}"
        async with desk.engine(url=url) as engine:
            await in_the_end(engine.board.keep, "one", b"1")
            assert {"one": b"1"} == await in_the_end(engine.board.kept)


async def test_a_lease_waits_for_no_events(desk: Desk):
    """While events wait for somebody's lock a gateway still says that it lives."""
    verdicts = []
    async with desk.engine() as engine:

        async def deliver() -> None:
            verdicts.extend(await engine.log.deliver([item(1, fill_event(1))]))

        await engine.board.kept()
        with desk.server.holding(desk.name, 'LOCK "my-desk".cluster_heads'):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(deliver)
                await engine.board.keep("one", b"1")
                assert {"one": b"1"} == await engine.board.kept()
                assert [] == verdicts
                nursery.cancel_scope.cancel()


async def test_a_fence_gets_past_a_gateway_that_is_paused_in_a_transaction(desk: Desk):
    """A former owner that stands still between two statements loses its lock and what it wrote."""
    begun, go_on = threading.Event(), threading.Event()

    def stand_still(connection: Connection) -> None:
        with connection.transaction():
            lock_heads(connection, [ACCOUNT])
            begun.set()
            go_on.wait(PATIENCE_SECONDS)

    async with desk.engine(1) as former, desk.engine(2) as successor:
        await former.log.deliver([item(1, fill_event(1))])
        paused = Line(desk.settings, PATIENCE_SECONDS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(told, paused.ask, stand_still)
            await trio.to_thread.run_sync(begun.wait)
            assert await in_the_end(successor.log.fence, ACCOUNT, 2, AFTER_NS)
            go_on.set()
        await paused.aclose()

        assert [(1, 1)] == await logged(successor)


async def test_a_restarted_server_may_have_forgotten(desk: Desk):
    """After a restart the board says once that what was read has to be read again."""
    async with desk.engine() as engine:
        await engine.board.keep("one", b"1")
        await engine.board.kept()
        desk.server.kill()
        await desk.server.start()

        with pytest.raises(BoardForgot):
            await in_the_end(engine.board.kept)
        await in_the_end(engine.board.keep, "one", b"2")
        assert {"one": b"2"} == await in_the_end(engine.board.kept)


async def test_a_standby_that_lacks_the_last_writes(desk: Desk):
    """What it lacks is gone and nothing else; revisions and positions go on growing."""
    with desk.server.standby() as standby:
        await standby.start()
        url = f"postgresql://{desk.server.address},{standby.address}/{desk.name}"
        async with desk.engine(url=url) as engine:
            first = await engine.board.write("owners.a", b"one", 0)
            await engine.log.deliver([item(1, fill_event(1))])
            await engine.board.kept()
            await desk.server.wait_replicated()
            standby.ask("ALTER SYSTEM SET primary_conninfo = ''")
            standby.ask("SELECT pg_reload_conf()")
            await desk.server.wait_unfollowed()
            lost = await engine.board.write("owners.a", b"two", first or 0)
            await engine.log.deliver([item(2, fill_event(2))])
            position = await engine.log.last_position(ACCOUNT)

            desk.server.kill()
            standby.promote()
            with pytest.raises(BoardForgot):
                await in_the_end(engine.board.kept)
            note = await in_the_end(engine.board.read, "owners.a")
            again = await in_the_end(engine.board.write, "owners.a", b"three", first)
            await in_the_end(engine.log.deliver, [item(3, fill_event(3))])

            assert note is not None
            assert (b"one", first) == (note.value, note.revision)
            assert again > lost
            assert await engine.board.write("owners.a", b"four", lost) is None
            assert [(1, 1), (1, 3)] == await logged(engine)
            assert position < await engine.log.last_position(ACCOUNT)
    await desk.server.start()


async def test_tls(desk: Desk):
    """A certificate of the right authority is accepted, any other is not."""
    files, url = desk.server.certificates, f"{desk.settings.url}?sslmode=verify-full"
    async with desk.engine(url=url, ca_file=files.ca) as engine:
        assert {} == await engine.board.kept()
    async with desk.engine(url=url, ca_file=files.other_ca) as engine:
        assert "certificate verify failed" in await told(engine.board.kept)


async def test_an_event_that_the_table_refuses_is_refused_alone(desk: Desk):
    """The rest of its batch is told, in order."""
    async with desk.engine() as engine:
        await engine.board.kept()
        desk.ask("ALTER TABLE {}.cluster_log ADD CHECK (seq <> 2)")
        verdicts = await engine.log.deliver([item(seq, fill_event(seq)) for seq in (1, 2, 3)])

        assert [ACCEPTED, True, ACCEPTED] == [isinstance(one, Refused) or one for one in verdicts]
        assert [(1, 1), (1, 3)] == await logged(engine)


async def test_an_event_is_held_as_it_was_told(desk: Desk):
    """Byte by byte, but for U+0000, which PostgreSQL cannot hold."""
    text = r'{"b": "\u0000 and \\u0000", "a":1.50,"a":2}'
    odd = msgspec.structs.replace(item(1, fill_event(1)), body=text.encode())
    async with desk.engine() as engine:
        await engine.log.deliver([odd])
        [held] = await engine.log.read(ACCOUNT, 0)

    assert text.replace(r"\u0000 and", "\N{SYMBOL FOR NULL} and") == held.body.decode()
