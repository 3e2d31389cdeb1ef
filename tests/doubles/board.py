"""A board and a shared log in memory, for several gateways of one test in virtual time.

They pass the same contract tests as the engines (tests/contracts/test_boards.py).
"""

import copy
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import trio

from gateway.cluster.board import BoardForgot, BoardUnavailable, Engine, Epochs, Logged, Note
from gateway.cluster.late import is_goodbye, is_void
from gateway.cluster.notes import LEASE_SECONDS
from gateway.contracts.sink import ACCEPTED, Item, Verdict


class Message(msgspec.Struct):
    """One message of the shared log."""

    position: int
    epoch: int
    seq: int
    id: str
    body: bytes
    late: bool = False


class Shared:
    """What all gateways of a test share; one `Epochs` each makes an engine of it."""

    def __init__(self) -> None:
        self.down = False
        self.log_down = False
        """Notes are taken, events are not."""
        self.cut: set[Epochs] = set()
        """Gateways that cannot reach it."""
        self.messages: dict[str, list[Message]] = defaultdict(list)
        """Of the log, by account."""
        self.newest: dict[str, int] = {}
        """Epochs that wrote or fenced, by account."""
        self.notes: dict[str, Note] = {}
        self.kept: dict[str, tuple[float, bytes]] = {}
        self.fences: list[tuple[str, int, int]] = []
        """Account, epoch and beginning, in order."""
        self.ids: set[str] = set()
        self.revision = 0
        self.gateways: set[Epochs] = set()
        self.untold: set[Epochs] = set()
        """Gateways that do not know yet what was forgotten."""

    def engine(self, epochs: Epochs) -> Engine:
        """As one gateway has it."""
        self.gateways.add(epochs)
        return Engine(MemoryBoard(self, epochs), MemoryLog(self, epochs))

    def copy(self) -> dict[str, Any]:
        """What a standby has that lags behind from now on."""
        held = ("messages", "newest", "notes", "fences", "ids")
        return copy.deepcopy({name: getattr(self, name) for name in held})

    def take_over(self, standby: Mapping[str, Any]) -> None:
        """Have the standby in the engine's place."""
        for name, value in standby.items():
            setattr(self, name, value)
        self.untold = set(self.gateways)

    async def reach(self, epochs: Epochs) -> None:
        """A question takes its time, and may get no answer."""
        await trio.sleep(0.001)
        if self.down or epochs in self.cut:
            raise BoardUnavailable("the test took it away")


class MemoryBoard:
    """See `gateway.cluster.board.Board`."""

    def __init__(self, shared: Shared, epochs: Epochs) -> None:
        self._shared = shared
        self._epochs = epochs

    async def keep(self, key: str, value: bytes) -> None:
        await self._shared.reach(self._epochs)
        self._shared.kept[key] = (trio.current_time() + LEASE_SECONDS, value)

    async def let_go(self, key: str) -> None:
        await self._shared.reach(self._epochs)
        self._shared.kept.pop(key, None)

    async def kept(self) -> dict[str, bytes]:
        await self._shared.reach(self._epochs)
        if self._epochs in self._shared.untold:
            self._shared.untold.remove(self._epochs)
            raise BoardForgot("a standby took over")
        now = trio.current_time()
        return {key: value for key, (until, value) in self._shared.kept.items() if now < until}

    async def read(self, key: str) -> Note | None:
        await self._shared.reach(self._epochs)
        return self._shared.notes.get(key)

    async def news(self, prefix: str, after: int) -> Sequence[Note]:
        await self._shared.reach(self._epochs)
        found = [
            note
            for key, note in self._shared.notes.items()
            if key.startswith(f"{prefix}.") and note.revision > after
        ]
        return sorted(found, key=lambda note: note.revision)

    async def write(self, key: str, value: bytes, revision: int) -> int | None:
        await self._shared.reach(self._epochs)
        known = self._shared.notes.get(key)
        if (known.revision if known else 0) != revision:
            return None
        self._shared.revision += 1
        self._shared.notes[key] = Note(key, value, self._shared.revision)
        return self._shared.revision


class MemoryLog:
    """See `gateway.cluster.board.Log`."""

    def __init__(self, shared: Shared, epochs: Epochs) -> None:
        self._shared = shared
        self._epochs = epochs

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        await self._shared.reach(self._epochs)
        if self._shared.log_down:
            raise BoardUnavailable("the test stopped the log")
        for item in items:
            self._tell(item)
        return [ACCEPTED] * len(items)

    async def fence(self, account: str, epoch: int, at_ns: int) -> bool:
        await self._shared.reach(self._epochs)
        if self._shared.newest.get(account, 0) > epoch:
            return False
        self._shared.newest[account] = epoch
        self._shared.fences.append((account, epoch, at_ns))
        return True

    async def last_position(self, account: str) -> int:
        await self._shared.reach(self._epochs)
        messages = self._shared.messages[account]
        return messages[-1].position if messages else 0

    async def read(self, account: str, after: int) -> Sequence[Logged]:
        await self._shared.reach(self._epochs)
        return [
            Logged(one.epoch, one.seq, one.body)
            for one in self._shared.messages[account]
            if one.position > after and not one.late
        ]

    def _tell(self, item: Item) -> None:
        shared, record = self._shared, item.record
        epoch = self._epochs.epoch_of(record.account, record.seq)
        if epoch is None or is_goodbye(record) or record.id in shared.ids:
            return
        late = epoch < shared.newest.get(record.account, 0)
        if late and is_void(record, self._fenced_ns(record.account, epoch)):
            self._epochs.pass_over(record.account, record.id)
            return
        shared.ids.add(record.id)
        shared.revision += 1
        shared.newest[record.account] = max(epoch, shared.newest.get(record.account, 0))
        shared.messages[record.account].append(
            Message(shared.revision, epoch, record.seq, record.id, item.body, late)
        )

    def _fenced_ns(self, account: str, epoch: int) -> int:
        return next(at for name, of, at in self._shared.fences if name == account and of > epoch)
