"""`/events`: from the journal to readers, fast and slow, without hole or repeat."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from gateway.admin.answers.events import COMMENT_SECONDS, EventAnswers
from gateway.admin.connection import Limits
from gateway.admin.messages import Peer, Request, Streaming
from gateway.admin.outbox import Outbox, Patience, SlowReader
from gateway.admin.routes import Router
from tests.doubles.house import MemoryLog
from tests.doubles.http_client import connect
from tests.gateway.admin.conftest import Serve, Served, wait_until

IMPATIENT = Limits(patience=Patience(unsent_bytes=1024 * 1024, room_seconds=0.3, stall_seconds=1))


async def read_ids(
    url: str, count: int, last_id: int | None = None, target: str = "/events?since_seq=0"
) -> list[int]:
    """The ids of the next so many events; then hang up."""
    headers = {} if last_id is None else {"last-event-id": str(last_id)}
    ids: list[int] = []
    async with connect(url) as client:
        await client.begin_stream(target, headers)
        while len(ids) < count:
            fields = await client.next_fields()
            if "data" in fields:
                ids.append(int(fields["id"]))
    return ids


async def test_a_stream_carries_id_kind_and_event(served: Served):
    """`id` is the seq, `event` the kind, `data` the event; without an id it begins now."""
    served.house.journal.append_fills(5)
    async with connect(served.url) as client:
        await client.begin_stream("/events")
        served.house.journal.append_fills(1)
        fields = await client.next_fields()

    assert (fields["id"], fields["event"]) == ("6", "fill")
    assert fields["data"].startswith('{"schema":"1.0"')


async def test_three_disconnects_leave_no_hole_and_no_repeat(served: Served):
    """Events go on being recorded while the reader hangs up and comes back."""
    log = served.house.journal
    seen: list[int] = []
    log.append_fills(300)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_record_now_and_then, log, 1000)
        for count in (137, 1, 500):
            seen += await read_ids(served.url, count, seen[-1] if seen else None)
        seen += await read_ids(served.url, 1300 - len(seen), seen[-1])

    assert seen == list(range(1, 1301))


async def _record_now_and_then(log: MemoryLog, count: int) -> None:
    for _ in range(count):
        log.append_fills(1)
        await trio.lowlevel.checkpoint()


async def test_a_reader_older_than_the_journal_is_told_so(served: Served):
    """First comes `truncated` with where the journal begins and which journal it is."""
    log = served.house.journal
    log.append_fills(10)
    log.retire(6)
    async with connect(served.url) as client:
        await client.begin_stream("/events", {"last-event-id": "2"})
        truncated, first = await client.next_fields(), await client.next_fields()

    assert truncated["event"] == "truncated"
    assert truncated["data"] == '{"first_seq":7,"epoch":"epoch-1"}'
    assert first["id"] == "7"


async def test_a_reader_of_another_journal_is_told_so(served: Served):
    """A place that this journal has not reached belongs to one that is gone."""
    served.house.journal.append_fills(3)
    async with connect(served.url) as client:
        await client.begin_stream("/events", {"last-event-id": "900"})
        truncated, first = await client.next_fields(), await client.next_fields()

    assert (truncated["event"], first["id"]) == ("truncated", "1")


async def test_a_reader_that_retention_overtakes_is_told_so(served: Served):
    """A hole that opens while the reader is connected is not silent either."""
    log = served.house.journal
    async with connect(served.url) as client:
        await client.begin_stream("/events")
        log.append_fills(4)
        log.retire(2)
        truncated, first = await client.next_fields(), await client.next_fields()

    assert (truncated["event"], first["id"]) == ("truncated", "3")


async def test_filters_let_only_the_wanted_pass(served: Served):
    """Other accounts' events are passed over."""
    log = served.house.journal
    for account in ("a", "b", "a", "c"):
        log.append_fills(1, account)

    assert await read_ids(served.url, 2, target="/events?since_seq=0&account=a") == [1, 3]
    assert await read_ids(served.url, 1, target="/events?since_seq=0&account=b,x&kind=fill") == [2]


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 30])
async def test_a_last_event_id_that_is_none_is_refused(served: Served, given: str):
    """400, with what was expected."""
    async with connect(served.url) as client:
        told = await client.ask("/events", headers={"last-event-id": given})

    assert told.status == 400
    assert "Last-Event-ID" in told.json()["detail"]


# --- quiet streams, in virtual time --------------------------------------------------


@asynccontextmanager
async def follow_in_memory(log: MemoryLog, query: dict[str, str]) -> AsyncIterator[Outbox]:
    """The bytes that a stream has to send, without a socket."""
    request = Request(
        method="GET", path="/events", query=query, headers={}, peer=Peer(address="test")
    )
    route, call = Router(EventAnswers(log).routes()).find(request)
    reply = await route.answer(call)
    assert isinstance(reply, Streaming)
    outbox = Outbox(Patience())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reply.produce, outbox)
        await outbox.take()  # the comment that names the journal
        yield outbox
        nursery.cancel_scope.cancel()


async def test_a_quiet_stream_says_something_every_15_seconds(
    autojump_clock: trio.testing.MockClock,
):
    """A comment, so that readers and proxies know that it lives."""
    begun = trio.current_time()
    async with follow_in_memory(MemoryLog(), {}) as outbox:
        pieces = [await outbox.take() for _ in range(3)]

    assert pieces == [b": alive\n\n"] * 3
    assert trio.current_time() - begun == pytest.approx(3 * COMMENT_SECONDS)


async def test_a_filtered_stream_moves_its_reader_on(autojump_clock: trio.testing.MockClock):
    """The sign of life carries the place, so that a resume does not begin far back."""
    log = MemoryLog()
    log.append_fills(5)
    async with follow_in_memory(log, {"kind": "order", "since_seq": "0"}) as outbox:
        assert await outbox.take() == b": alive\nid: 5\n\n"
        assert await outbox.take() == b": alive\n\n"


# --- slow readers --------------------------------------------------------------------


async def test_an_outbox_refuses_to_grow(autojump_clock: trio.testing.MockClock):
    """More than a MiB unsent for longer than it bears: the reader is slow."""
    outbox = Outbox(Patience())
    await outbox.put(b"x" * (1024 * 1024 + 1))

    with pytest.raises(SlowReader):
        await outbox.put(b"x")


async def test_a_reader_that_takes_its_time_is_waited_for(
    autojump_clock: trio.testing.MockClock,
):
    """Progress within the bounds is enough, however long the whole takes."""
    outbox = Outbox(Patience())

    async def sip() -> None:
        while True:
            await trio.sleep(4)
            outbox.sent(len(await outbox.take()) * 16)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(sip)
        for _ in range(10):
            await outbox.put(b"x" * 1024 * 1024)
        nursery.cancel_scope.cancel()


async def test_a_stopped_reader_is_cut_while_others_go_on(serve: Serve):
    """50 readers, 10 of them stopped: those are cut, the 40 get every event."""
    async with serve(limits=IMPATIENT) as served:
        seen: dict[int, int] = {}
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                await nursery.start(_never_read, served)
            for number in range(40):
                await nursery.start(_count, served.url, seen, number, 4000)
            assert served.admin.clients == 50
            for _ in range(40):
                served.house.journal.append_fills(100)
                await trio.sleep(0.01)
            await wait_until(lambda: served.admin.clients == 0 and len(seen) == 40)
            nursery.cancel_scope.cancel()

        async with connect(served.url) as client:
            assert (await client.ask("/healthz")).status == 200
    assert set(seen.values()) == {4000}


async def _never_read(served: Served, task_status: trio.TaskStatus[None]) -> None:
    host, _, port = served.url.removeprefix("http://").rpartition(":")
    with socket.socket() as sock:
        # A small window, so that the kernel does not read on the reader's behalf.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((host, int(port)))
        sock.sendall(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await trio.lowlevel.wait_readable(sock)
        task_status.started()
        await trio.sleep_forever()


async def _count(
    url: str, seen: dict[int, int], number: int, want: int, task_status: trio.TaskStatus[None]
) -> None:
    ids = []
    async with connect(url) as client:
        await client.begin_stream("/events")
        task_status.started()
        while len(ids) < want:
            ids.append(int((await client.next_fields())["id"]))
    seen[number] = len(set(ids))


async def test_a_reader_that_hangs_up_is_forgotten_at_once(served: Served):
    """A quiet stream does not hold a dead socket until the next comment."""
    async with connect(served.url) as client:
        await client.begin_stream("/events")
        assert served.admin.clients == 1

    await wait_until(lambda: served.admin.clients == 0)
