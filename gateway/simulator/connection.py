"""One WebSocket connection of a client: what it hears, what it is told, and when.

Everything said goes through an outbox, where faults delay, double or swallow it;
one task writes the outbox out. Reading and writing know nothing of each other.
"""

import socket
import struct
from collections import deque
from heapq import heappop, heappush
from typing import Any, Final, Literal

import trio
from wsproto.connection import Connection
from wsproto.events import CloseConnection, Message, Ping

from gateway.simulator import frames
from gateway.simulator.dialect import Session
from gateway.simulator.faults import Faults
from gateway.simulator.frames import Opcode
from gateway.simulator.steps import Delay, Duplicate, Lose, Reorder, Silence
from gateway.simulator.truth import Fate

MAX_OUTBOX_BYTES: Final = 256 * 1024 * 1024
"""A client that reads so much slower than it is told is cut off."""
_READ_BYTES: Final = 64 * 1024
_CLOSE_SECONDS: Final = 2
"""How long the other side may take to answer a closing frame."""


class ClientConnection:
    """The `Peer` that a dialect talks to, and the tasks behind it."""

    def __init__(
        self,
        number: int,
        stream: trio.abc.Stream,
        protocol: Connection,
        faults: Faults,
        *,
        deflate: bool,
        answer_pings: bool,
    ) -> None:
        self.account: int | None = None
        self.session: Session | None = None
        self.deflate: Final = deflate
        self._number = number
        self._stream = stream
        self._protocol = protocol
        self._faults = faults
        self._answer_pings = answer_pings
        self._outbox: deque[tuple[float, bytes]] = deque()
        self._late: list[tuple[float, bytes]] = []
        self._outbox_bytes = 0
        self._filled = trio.Event()
        self._drained = trio.Event()
        self._closing = False
        self._left = trio.Event()
        self._pieces: list[Any] = []
        self._half_open_until = 0.0
        self._scope = trio.CancelScope()

    @property
    def number(self) -> int:
        """Counted from 1."""
        return self._number

    @property
    def address(self) -> str:
        """The client's address; in memory there is none."""
        if isinstance(self._stream, trio.SocketStream):
            return str(self._stream.socket.getpeername()[0])
        return "127.0.0.1"

    # --- what a dialect may do ---------------------------------------------

    def say(self, text: str) -> None:
        """Send an answer, unless a fault keeps it."""
        self.send_bytes(frames.text_frame(text, deflate=self.deflate))

    def close(self, code: int, reason: str) -> None:
        """Close in good order, after what was said before."""
        if self._is_silent():
            return
        self.send_bytes(frames.close_frame(code, reason))
        self._closing = True
        self._filled.set()

    # --- what the engine may do --------------------------------------------

    def push(self, account: int, frame: bytes) -> Fate:
        """Send one push, through whatever faults are in force."""
        if not self._faults.any and not self._half_open_until:
            self._enqueue(frame)
            return Fate.SENT
        return self._push_through_faults(account, frame)

    def send_bytes(self, data: bytes) -> None:
        """Send bytes as they are, unless the connection is silenced."""
        if not self._closing and not self._is_silent():
            self._enqueue(data)

    def cut(self, how: Literal["rst", "fin"]) -> None:
        """End the connection at once, without a closing frame."""
        if how == "rst" and isinstance(self._stream, trio.SocketStream):
            # Lingering for zero seconds makes the kernel send RST instead of FIN.
            self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._scope.cancel()

    def hold_half_open(self, seconds: float) -> None:
        """Neither hear nor say anything for so long, as if the path were gone."""
        self._half_open_until = trio.current_time() + seconds

    async def wait_drained(self) -> None:
        """Wait until everything in the outbox was taken by the socket."""
        while self._outbox and not self._scope.cancel_called:
            await self._drained.wait()

    async def serve(self, session: Session, early: bytes) -> None:
        """Talk until the client leaves, the venue closes, or the connection is cut."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                nursery.start_soon(session.attend)
                await self._read(session, early)
        self._outbox.clear()
        self._tell_drained()

    # --- faults on pushes ----------------------------------------------------

    def _push_through_faults(self, account: int, frame: bytes) -> Fate:
        lose = self._faults.find(Lose, account)
        if self._is_silent() or (lose is not None and self._faults.strikes(lose.share)):
            return Fate.LOST
        now = trio.current_time()
        reorder = self._faults.find(Reorder, account)
        if reorder is not None and self._faults.strikes(reorder.share):
            self._enqueue_late(now + reorder.by, frame)
            return Fate.REORDERED
        fate = Fate.SENT
        duplicate = self._faults.find(Duplicate, account)
        if duplicate is not None and self._faults.strikes(duplicate.share):
            self._enqueue_late(now + duplicate.by, frame)
            fate = Fate.DUPLICATED
        delay = self._faults.find(Delay, account)
        self._enqueue(frame, 0.0 if delay is None else now + delay.by)
        return fate if delay is None else Fate.DELAYED

    def _is_silent(self) -> bool:
        return self._is_half_open() or self._faults.find(Silence, self.account) is not None

    def _is_half_open(self) -> bool:
        return self._half_open_until > 0 and trio.current_time() < self._half_open_until

    # --- writing ---------------------------------------------------------------

    def _enqueue(self, data: bytes, due: float = 0.0) -> None:
        self._outbox.append((due, data))
        self._outbox_bytes += len(data)
        if self._outbox_bytes > MAX_OUTBOX_BYTES:
            self.cut("rst")
        self._filled.set()

    def _enqueue_late(self, due: float, data: bytes) -> None:
        heappush(self._late, (due, data))
        self._filled.set()

    async def _write(self) -> None:
        try:
            while True:
                self._filled = trio.Event()
                data = self._take_due()
                if data:
                    await self._stream.send_all(data)
                    self._tell_drained()
                elif self._closing and not self._outbox:
                    with trio.move_on_after(_CLOSE_SECONDS):
                        await self._left.wait()
                    self._scope.cancel()
                else:
                    with trio.move_on_at(self._next_due()):
                        await self._filled.wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._scope.cancel()

    def _tell_drained(self) -> None:
        self._drained.set()
        self._drained = trio.Event()

    def _take_due(self) -> bytes:
        now = trio.current_time()
        due = []
        while self._outbox and self._outbox[0][0] <= now:
            due.append(self._outbox.popleft()[1])
        self._outbox_bytes -= sum(map(len, due))
        while self._late and self._late[0][0] <= now:
            due.append(heappop(self._late)[1])
        return b"".join(due)

    def _next_due(self) -> float:
        waiting = [queue[0][0] for queue in (self._outbox, self._late) if queue]
        return min(waiting, default=float("inf"))

    # --- reading ---------------------------------------------------------------

    async def _read(self, session: Session, early: bytes) -> None:
        data = early
        while not self._left.is_set():
            if data:
                self._protocol.receive_data(data)
                self._take_events(session)
            try:
                data = bytes(await self._stream.receive_some(_READ_BYTES))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                # Over a dead path nobody hears that the other side has gone.
                await trio.sleep_until(self._half_open_until)
                self._scope.cancel()
        # The writer sends what is left, then cancels this.
        await trio.sleep_forever()

    def _take_events(self, session: Session) -> None:
        for event in self._protocol.events():
            if self._is_half_open():
                continue
            if isinstance(event, CloseConnection):
                known = 1000 <= event.code < 1005 or 1007 <= event.code < 5000
                self.close(event.code if known else 1000, "")
                self._left.set()
                return
            if isinstance(event, Ping) and self._answer_pings:
                self.send_bytes(frames.encode(Opcode.PONG, bytes(event.payload)))
            elif isinstance(event, Message):
                self._gather(event, session)

    def _gather(self, event: Message[Any], session: Session) -> None:
        self._pieces.append(event.data)
        if not event.message_finished:
            return
        pieces, self._pieces = self._pieces, []
        if isinstance(event.data, str):
            session.hear("".join(pieces))
        else:
            session.hear(b"".join(pieces))
