"""What is special to the postgres sink: types, views, migration, culprits, its troubles."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import ACCEPTED, Item, Refused, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.delivery.policy import Result
from gateway.events.model import Balance
from gateway.events.numbers import PlainDecimal
from gateway.sinks.postgres import PostgresSettings, open_postgres, probe_postgres
from gateway.sinks.postgres.inserts import STATEMENT_BYTES
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import deliver, deliver_all, fills, item
from tests.doubles.events import fill_event
from tests.doubles.link import open_link
from tests.doubles.servers.postgres import PostgresServer, running_postgres

PASSWORD = "password-of-postgres"
NUMBERS = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One server for all."""
    with running_postgres() as up:
        yield up


class Desk:
    """A database and its user."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.name = f"own{next(NUMBERS)}"
        server.add_database(self.name, PASSWORD)

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the database, as the administrator."""
        return self.server.ask(query, *values, database=self.name)

    def settings(self, **settings: Any) -> PostgresSettings:
        """Options that lead to it."""
        given = {
            "servers": (self.server.address,),
            "database": self.name,
            "username": self.name,
            "password": Secret.of(PASSWORD),
        }
        return PostgresSettings(**(given | settings))

    @asynccontextmanager
    async def sink(
        self, timeout: float = 15, *, include_raw: bool = False, **settings: Any
    ) -> AsyncIterator[Any]:
        """The sink in front of it."""
        around = context(timeout, include_raw=include_raw)
        async with open_postgres(self.settings(**settings), around) as sink:
            yield sink


def context(timeout: float = 15, *, include_raw: bool = False) -> SinkContext:
    """What the house hands over."""
    options = SinkOptions(type="postgres", timeout=Seconds(timeout), include_raw=include_raw)
    return SinkContext(
        name="ledger",
        state_dir=Path("/nonexistent"),
        options=options,
        clock=WALL_CLOCK,
        redactor=Redactor(),
    )


@pytest.fixture
def desk(server: PostgresServer) -> Desk:
    """A database of the test's own."""
    return Desk(server)


def fill_of(seq: int, order_id: str) -> Item:
    """A fill of this order."""
    event = fill_event(seq)
    body = msgspec.structs.replace(event.body, order_id=order_id)
    return item(seq, msgspec.structs.replace(event, body=body))


def balance_of(seq: int, total: str) -> Item:
    """A balance of one asset."""
    number = PlainDecimal(total)
    body = Balance(asset="BTC", available=number, held=PlainDecimal("0"), total=number)
    return item(seq, msgspec.structs.replace(fill_event(seq), body=body))


# --- what is written --------------------------------------------------------------


async def test_a_row_has_types(desk: Desk):
    """Numbers are exact numerics, times instants, the whole event is JSON."""
    [one] = fills(1)
    async with desk.sink() as sink:
        await deliver_all(sink, [one])

    [(price, at, derived, event)] = desk.ask("SELECT price, venue_time, derived, event FROM fills")
    assert Decimal("0.02455211") == price
    assert datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC) == at
    assert derived is False
    assert json.loads(one.record.native(include_raw=False)) == event


async def test_raw_stands_in_a_column_of_its_own(desk: Desk):
    """With `include_raw` the venue's text has its column, and is not in the event's JSON too."""
    one = item(1, fill_event(1, raw='{"odd": "\\u0000 \\\\u0000"}'))
    async with desk.sink(include_raw=True) as sink:
        await deliver_all(sink, [one])

    [(raw, event)] = desk.ask("SELECT raw, event FROM fills")
    assert '{"odd": "\\u0000 \\\\u0000"}' == raw
    assert json.loads(one.record.native(include_raw=False)) == event


async def test_a_batch_larger_than_one_statement(desk: Desk):
    """What is too much for one statement is split, in one transaction all the same."""
    large = [item(seq, fill_event(seq, raw="x" * (STATEMENT_BYTES // 3))) for seq in range(1, 9)]
    async with desk.sink(include_raw=True) as sink:
        await deliver_all(sink, large)

    assert [(8, 1)] == desk.ask("SELECT count(*), count(DISTINCT xmin::text) FROM fills")


async def test_a_field_that_an_older_gateway_did_not_journal(desk: Desk):
    """Its column is empty."""
    [one] = fills(1)
    tail = one.record.tail.replace(b',"derived":false', b"")
    older = Item(msgspec.structs.replace(one.record, tail=tail), one.body)
    async with desk.sink() as sink:
        await deliver_all(sink, [older])

    assert [(None, "0.003")] == desk.ask("SELECT derived, quantity::text FROM fills")


async def test_what_is_there_stays(desk: Desk):
    """The same events again, in another batch, change nothing and are accepted."""
    async with desk.sink() as sink:
        await deliver_all(sink, fills(5))
        await deliver_all(sink, fills(9))

    assert [(9, 9)] == desk.ask("SELECT count(*), count(DISTINCT id) FROM fills")


async def test_views_show_the_latest(desk: Desk):
    """`latest_balances` has one row an asset, the last one."""
    async with desk.sink() as sink:
        await deliver_all(sink, [balance_of(1, "1.50"), balance_of(2, "0.000000000000000001")])

    assert [("BTC", Decimal("1E-18"))] == desk.ask("SELECT asset, total FROM latest_balances")


async def test_a_zero_byte(desk: Desk):
    """U+0000, which PostgreSQL cannot hold, becomes its symbol; a written backslash does not."""
    async with desk.sink() as sink:
        await deliver_all(sink, [fill_of(1, "a\0b"), fill_of(2, "a\\u0000b\\\0")])

    query = "SELECT order_id, event->'fill'->>'order_id' FROM fills ORDER BY seq"
    assert [("a\u2400b",) * 2, ("a\\u0000b\\\u2400",) * 2] == desk.ask(query)


async def test_another_schema(desk: Desk):
    """The schema is created, and nothing is put anywhere else."""
    async with desk.sink(schema="gateway_events") as sink:
        await deliver_all(sink, fills(2))

    assert [(2,)] == desk.ask("SELECT count(*) FROM gateway_events.fills")
    assert [] == desk.ask("SELECT 1 FROM pg_tables WHERE schemaname = 'public'")


async def test_tables_of_an_older_version(desk: Desk):
    """A column that is missing is added, with the views, and old rows stay."""
    async with desk.sink() as sink:
        await deliver_all(sink, [balance_of(1, "1")])
    desk.ask("DROP VIEW latest_balances")
    desk.ask("ALTER TABLE balances DROP COLUMN reason")
    async with desk.sink() as sink:
        await deliver_all(sink, [balance_of(2, "2")])

    assert [(None,), (None,)] == desk.ask("SELECT reason FROM balances")
    assert [(2,)] == desk.ask("SELECT seq FROM latest_balances")


async def test_two_gateways_start_at_once(desk: Desk):
    """Both find or make the tables, and neither fails."""
    async with desk.sink() as one, desk.sink() as other, trio.open_nursery() as nursery:
        nursery.start_soon(deliver_all, one, fills(50))
        nursery.start_soon(deliver_all, other, fills(50))

    assert [(50,)] == desk.ask("SELECT count(*) FROM fills")


# --- trouble ----------------------------------------------------------------------


async def test_culprits_are_refused(desk: Desk):
    """A row that a constraint or a limit refuses does not take its batch with it."""
    async with desk.sink() as sink:
        await deliver_all(sink, fills(1))
        desk.ask("ALTER TABLE fills ADD CHECK (order_id <> 'forbidden')")
        long = "".join(chr(0x4E00 + number) for number in range(3000))  # no index takes this
        batch = [*fills(2, first=2), fill_of(4, "forbidden"), fill_of(5, long), fill_of(6, "o")]
        answer = await deliver(sink, batch)

    constraint, value = answer.verdicts[2:4]
    assert [ACCEPTED] * 3 == [*answer.verdicts[:2], answer.verdicts[4]]
    assert isinstance(constraint, Refused)
    assert isinstance(value, Refused)
    assert ("constraint", "value") == (constraint.reason, value.reason)
    assert "check constraint" in constraint.excerpt
    assert [(1,), (2,), (3,), (6,)] == desk.ask("SELECT seq FROM fills ORDER BY seq")


async def test_culprits_in_a_large_batch(desk: Desk):
    """The first, the last and two neighbours: exactly those are refused."""
    culprits = {1, 1000, 1001, 2000}
    batch = [fill_of(seq, "forbidden" if seq in culprits else "o") for seq in range(1, 2001)]
    async with desk.sink() as sink:
        await deliver_all(sink, fills(1, first=2001))
        desk.ask("ALTER TABLE fills ADD CHECK (order_id <> 'forbidden')")
        answer = await deliver(sink, batch)

    refused = [isinstance(verdict, Refused) for verdict in answer.verdicts]
    assert [seq in culprits for seq in range(1, 2001)] == refused
    assert [(1997,)] == desk.ask("SELECT count(*) FROM fills")


async def test_missing_tables(desk: Desk):
    """Without `create_tables` the tables have to be there; until then nothing is lost."""
    async with desk.sink(create_tables=False) as sink:
        answer = await deliver(sink, fills(1))
    async with desk.sink() as sink:
        await deliver_all(sink, fills(1))
    async with desk.sink(create_tables=False) as sink:
        await deliver_all(sink, fills(2))

    assert Result.LATER is answer.result
    assert "`create_tables: true`" in str(answer.trouble)
    assert [(2,)] == desk.ask("SELECT count(*) FROM fills")


async def test_a_paused_server(desk: Desk):
    """A server that stops answering costs one time limit, and later nothing is missing."""
    async with desk.sink() as sink:
        await deliver_all(sink, fills(3))
        desk.server.pause_backends(desk.name)
        with trio.move_on_after(0.3) as limit:
            await sink.deliver(fills(3, first=4))
        desk.server.resume_all()
        await deliver_all(sink, fills(3, first=4))

    assert limit.cancelled_caught
    assert [(6,)] == desk.ask("SELECT count(*) FROM fills")


async def test_a_lock(desk: Desk):
    """A lock that somebody holds on a table ends in a clear error, within the time limit."""
    async with desk.sink(timeout=1) as sink:
        await deliver_all(sink, fills(1))
        with desk.server.holding(desk.name, "LOCK TABLE fills"):
            answer = await deliver(sink, fills(1, first=2))
        await deliver_all(sink, fills(1, first=2))

    assert Result.LATER is answer.result
    assert "statement timeout" in str(answer.trouble)


async def test_a_changed_password(desk: Desk):
    """A refused login says what to look at; when the password fits again it goes on."""
    async with desk.sink() as sink:
        await deliver_all(sink, fills(1))
        desk.ask(f"ALTER ROLE {desk.name} PASSWORD 'another'")
        desk.server.turn_away(desk.name, away=True)
        desk.server.turn_away(desk.name, away=False)
        answers = [await deliver(sink, fills(1, first=2)) for _ in range(2)]
        desk.ask(f"ALTER ROLE {desk.name} PASSWORD '{PASSWORD}'")
        await deliver_all(sink, fills(1, first=2))

    assert {Result.LATER} == {answer.result for answer in answers}
    assert "look at `username` and `password`" in str(answers[-1].trouble)
    assert PASSWORD not in repr(answers)


async def test_a_server_that_takes_no_writes(desk: Desk):
    """Of several servers only one that takes writes is used; a standby is none."""
    desk.ask(f"ALTER ROLE {desk.name} SET default_transaction_read_only = on")
    async with desk.sink() as sink:
        answer = await deliver(sink, fills(1))
        desk.ask(f"ALTER ROLE {desk.name} SET default_transaction_read_only = off")
        await deliver_all(sink, fills(1))

    assert Result.LATER is answer.result
    assert "read-only" in str(answer.trouble)


async def test_failover(desk: Desk):
    """When the primary is gone the standby that was promoted is written to; nothing is missing."""
    with desk.server.standby() as standby:
        await standby.start()
        async with desk.sink(servers=(desk.server.address, standby.address), timeout=4) as sink:
            await deliver_all(sink, fills(5))
            await desk.server.wait_replicated()
            desk.server.kill()
            answer = await deliver(sink, fills(5, first=6))
            standby.promote()
            await deliver_all(sink, fills(5, first=6))
        held = standby.ask("SELECT seq FROM fills ORDER BY seq", database=desk.name)
    await desk.server.start()

    assert Result.LATER is answer.result
    assert [(seq,) for seq in range(1, 11)] == held


async def test_a_silent_server_is_not_the_only_one(desk: Desk):
    """One that is there and says nothing costs part of a time limit; the next one is used."""
    async with open_link(1) as link:
        link.silence()
        async with desk.sink(servers=(link.address, desk.server.address), timeout=6) as sink:
            answer = await deliver(sink, fills(3))

    assert Result.ACCEPTED is answer.result, answer
    assert link.connections > 0


async def test_tls(desk: Desk):
    """A certificate of the right authority is accepted, any other is not."""
    files = desk.server.certificates
    async with desk.sink(tls=True, ca_file=files.ca) as sink:
        await deliver_all(sink, fills(3))
    async with desk.sink(tls=True, ca_file=files.other_ca) as sink:
        answer = await deliver(sink, fills(3))

    assert Result.LATER is answer.result
    assert "certificate verify failed" in str(answer.trouble)


# --- before the start -------------------------------------------------------------


async def test_the_probe(desk: Desk):
    """`check --connect` logs in, makes nothing, and tells a refused login."""
    good, tables = await probe_postgres(desk.settings(), context())
    [bad] = await probe_postgres(desk.settings(password=Secret.of("wrong-one")), context())
    [gone] = await probe_postgres(desk.settings(servers=("127.0.0.1:1",)), context())

    assert [True, True, False, False] == [good.ok, tables.ok, bad.ok, gone.ok]
    assert "PostgreSQL" in good.detail
    assert "to be made" in tables.detail
    assert "look at `username` and `password`" in bad.detail
    assert "127.0.0.1:1" in gone.detail
    assert "wrong-one" not in bad.detail
    assert [] == desk.ask("SELECT 1 FROM pg_tables WHERE schemaname = 'public'")


async def test_the_probe_looks_for_what_is_missing(desk: Desk):
    """A missing database, missing tables and a user that may not make them are told."""
    [elsewhere] = await probe_postgres(desk.settings(database="nowhere"), context())
    _, unmade = await probe_postgres(desk.settings(create_tables=False), context())
    desk.ask("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    desk.ask("ALTER SCHEMA public OWNER TO postgres")
    _, forbidden = await probe_postgres(desk.settings(), context())
    desk.ask(f"GRANT CREATE ON SCHEMA public TO {desk.name}")
    async with desk.sink() as sink:
        await deliver_all(sink, fills(1))
    _, made = await probe_postgres(desk.settings(create_tables=False), context())

    assert [False, False, False, True] == [one.ok for one in (elsewhere, unmade, forbidden, made)]
    assert '"nowhere" does not exist' in elsewhere.detail
    assert "create_tables: true" in unmade.detail
    assert "may not create" in forbidden.detail


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"servers": ()}, "servers"),
        ({"servers": ("postgresql://localhost",)}, "servers[0]"),
        ({"database": " "}, "database"),
        ({"username": ""}, "username"),
        ({"schema": "Events; --"}, "schema"),
    ],
)
def test_mistakes(settings: dict[str, Any], key: str):
    """Options that cannot work are found before the start."""
    given = {"servers": ("localhost",), "database": "trading", "username": "gateway"}

    assert [key] == [where for where, _ in PostgresSettings(**(given | settings)).problems()]
