"""Row 25: many readers of `/events`, some of which stopped reading."""

from pathlib import Path

import h11
import pytest
import trio

from gateway.admin.doors import CONTROL_SOCKET
from gateway.admin.unix_sockets import connect_to_path
from tests.scenarios.load import last_seq, pour
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import Rig, open_rig, wait_until

FORMS = [
    pytest.param(Form.SHORT, 12, 3, id="short"),
    pytest.param(
        Form.CI, 200, 50, id="ci", marks=[pytest.mark.scenarios, pytest.mark.timeout(1500)]
    ),
]
EVENTS = 4000
"""Several MiB: more than a reader's socket and its outbox can hold."""
HURRIED = 3
"""One reader in so many hangs up half way, and comes back with `Last-Event-ID`."""
CUT = '"http_reader_cut"'


class Reader:
    """Follows `/events` and keeps the ids; the place is its own."""

    def __init__(self, rig: Rig, since_seq: int) -> None:
        self._path = rig.state_dir / CONTROL_SOCKET
        self.since_seq = since_seq
        self.seqs: list[int] = []
        self.truncated = 0
        """How often it was told that its place is gone."""
        self._unread = b""

    @property
    def place(self) -> int:
        """The last id it saw."""
        return self.seqs[-1] if self.seqs else self.since_seq

    async def open(self) -> trio.SocketStream:
        """Ask to follow from its place; nothing is read yet."""
        sock = trio.socket.from_stdlib_socket(connect_to_path(self._path, 5))
        stream = trio.SocketStream(sock)
        lines = ("GET /events HTTP/1.1", "Host: localhost", f"Last-Event-ID: {self.place}")
        await stream.send_all(("\r\n".join(lines) + "\r\n\r\n").encode())
        return stream

    async def read_to(self, seq: int) -> None:
        """Follow until the event with that id has come."""
        stream, self._unread = await self.open(), b""
        http = h11.Connection(h11.CLIENT)
        http.send(h11.Request(method="GET", target="/events", headers=[("host", "localhost")]))
        http.send(h11.EndOfMessage())
        async with stream:
            while self.place < seq:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    http.receive_data(bytes(await stream.receive_some(65536)))
                elif isinstance(event, h11.Data):
                    self._take(bytes(event.data))
                else:
                    assert isinstance(event, h11.Response), f"cut at {self.place}: {event}"
                    assert event.status_code == 200

    def _take(self, data: bytes) -> None:
        *whole, self._unread = (self._unread + data).split(b"\n\n")
        for block in whole:
            if block.startswith(b"id: "):
                self.seqs.append(int(block[4 : block.index(b"\n")]))
            elif block.startswith(b"event: truncated"):
                self.truncated += 1


@pytest.mark.parametrize(("form", "clients", "stopped"), FORMS)
async def test_sse_readers(
    tmp_path: Path, results: Results, form: Form, clients: int, stopped: int
):
    """Readers that read miss nothing and see nothing twice; those that stopped are cut."""
    async with open_rig(tmp_path) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        far = await pour(rig, 500)
        readers = [Reader(rig, 0 if number % 2 else far) for number in range(clients - stopped)]
        deaf = [await Reader(rig, 0).open() for _ in range(stopped)]
        half, aim = far + EVENTS // 2, far + EVENTS
        with trio.fail_after(600):
            async with trio.open_nursery() as nursery:
                for number, reader in enumerate(readers):
                    stops = (half, aim) if number % HURRIED == 0 else (aim,)
                    nursery.start_soon(read_all, reader, stops)
                nursery.start_soon(pour, rig, EVENTS)
        for reader in readers:
            first = reader.since_seq + 1
            assert reader.seqs == list(range(first, first + len(reader.seqs)))
            assert reader.truncated == 0
        await wait_until(lambda: count_cuts(rig) == stopped, 60, "the stopped readers to be cut")
        for stream in deaf:
            await stream.aclose()
        await rig.wait_quiet()
        rig.judge().assert_kept()

        await let_the_beginning_go(rig)
        late = Reader(rig, 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(late.read_to, last_seq(rig) + 10)
            await pour(rig, 20)
        assert late.truncated == 1
        assert late.seqs[0] > 2
        assert late.seqs == list(range(late.seqs[0], late.seqs[0] + len(late.seqs)))
        results.note(
            25, "SSE readers, some stopped", form, clients=clients, stopped=stopped,
            cut=stopped, events_read=sum(len(reader.seqs) for reader in readers),
            holes=0, repeats=0,
        )  # fmt: skip


async def read_all(reader: Reader, stops: tuple[int, ...]) -> None:
    """Follow to each stop, on a connection of its own."""
    for stop in stops:
        await reader.read_to(stop)


def count_cuts(rig: Rig) -> int:
    """How many readers the daemon says it cut."""
    return rig.daemon.log.read_text().count(CUT)


async def let_the_beginning_go(rig: Rig) -> None:
    """Start again with a journal that keeps next to nothing."""
    assert await rig.daemon.stop() == 0
    rig.settings["journal"] = "{retain: {age: 1s}}"
    rig.write_config()
    await rig.daemon.start()
    await wait_until(lambda: rig.daemon.status()["journal"]["first_seq"] > 2, 60, "retention")
    await rig.wait_live()
