"""The shared log: one JetStream stream, one subject per account.

Each message names the sequence number of the one before it on its subject, and the
server refuses it where another stands there: that keeps order through every retry, and
it is the fence. A new owner first writes a mark of its epoch; what a paused or cut-off
owner has in flight is refused from then on, by the server and not by anybody's clock.
What such an owner still has to tell goes out as late, which says that it is older.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import Header

from gateway.cluster.board import Epochs, Logged
from gateway.cluster.late import is_goodbye, is_void
from gateway.cluster.nats.connection import WRONG_LAST, Connection
from gateway.contracts.sink import ACCEPTED, Item, Refused, Verdict

EPOCH: Final = "Gateway-Epoch"
SEQ: Final = "Gateway-Seq"
LATE: Final = "Gateway-Late"
"""On what a former owner tells: the epoch that came after its own."""
FENCE: Final = "Gateway-Fence"
"""A mark without a body, and when it was set; consumers pass over it."""

TOO_LARGE: Final = 10054


class _Last(msgspec.Struct):
    """How far an account's subject is, as far as we know."""

    position: int
    epoch: int


class NatsLog:
    """Implements `gateway.cluster.board.Log`."""

    def __init__(self, connection: Connection, epochs: Epochs) -> None:
        self._connection = connection
        self._epochs = epochs
        self._last: dict[str, _Last] = {}
        """By account; absent where it has to be asked. Touched in asyncio's thread only."""
        self._fences: dict[tuple[str, int], int] = {}
        """When the successor of an account's epoch set its fence, epoch ns."""

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """See the contract. Accounts side by side, each in order."""
        by_account: dict[str, list[int]] = defaultdict(list)
        for index, item in enumerate(items):
            by_account[item.record.account].append(index)
        verdicts: list[Verdict] = [ACCEPTED] * len(items)

        async def publish(jetstream: JetStreamContext) -> None:
            async def one_account(indexes: list[int]) -> None:
                for index in indexes:
                    verdicts[index] = await self._tell(jetstream, items[index])

            await asyncio.gather(*map(one_account, by_account.values()))

        await self._connection.ask(publish)
        return verdicts

    async def fence(self, account: str, epoch: int, at_ns: int) -> bool:
        """See the contract."""

        async def mark(jetstream: JetStreamContext) -> bool:
            while (last := await self._ask_last(jetstream, account)).epoch <= epoch:
                headers = {EPOCH: str(epoch), FENCE: str(at_ns)}
                headers[Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value] = str(last.position)
                try:
                    answer = await jetstream.publish(self._subject(account), headers=headers)
                except nats.js.errors.APIError as error:
                    if error.err_code in WRONG_LAST:
                        continue
                    raise
                self._last[account] = _Last(answer.seq, epoch)
                return True
            return False

        return await self._connection.ask(mark)

    async def last_position(self, account: str) -> int:
        """See the contract."""

        async def ask(jetstream: JetStreamContext) -> int:
            return (await self._ask_last(jetstream, account)).position

        return await self._connection.ask(ask)

    async def read(self, account: str, after: int) -> Sequence[Logged]:
        """See the contract."""

        async def read(jetstream: JetStreamContext) -> list[Logged]:
            found: list[Logged] = []
            position = after
            while True:
                try:
                    message = await jetstream.get_msg(
                        self._connection.log,
                        position + 1,
                        subject=self._subject(account),
                        next=True,
                    )
                except nats.js.errors.NotFoundError:
                    return found
                position = message.seq or 0
                headers = message.headers or {}
                if FENCE not in headers and LATE not in headers:
                    epoch, seq = int(headers[EPOCH]), int(headers[SEQ])
                    found.append(Logged(epoch, seq, message.data or b""))

        return await self._connection.ask(read)

    # --- asyncio ---------------------------------------------------------------------

    async def _tell(self, jetstream: JetStreamContext, item: Item) -> Verdict:
        record = item.record
        epoch = self._epochs.epoch_of(record.account, record.seq)
        if epoch is None or is_goodbye(record):
            return ACCEPTED  # made outside of any ownership: not ours to tell the others
        while True:
            last = self._last.get(record.account)
            if last is None:
                last = await self._ask_last(jetstream, record.account)
            if epoch < last.epoch:
                fenced_ns = await self._fenced_ns(jetstream, record.account, epoch, last)
                if is_void(record, fenced_ns):
                    self._epochs.pass_over(record.account, record.id)
                    return ACCEPTED
            try:
                await self._publish(jetstream, item, epoch, last)
            except nats.js.errors.APIError as error:
                if error.err_code in WRONG_LAST:
                    self._last.pop(record.account, None)
                    continue
                if error.err_code == TOO_LARGE:
                    return Refused(reason="too_large", excerpt=str(error.description))
                raise
            return ACCEPTED

    async def _publish(
        self, jetstream: JetStreamContext, item: Item, epoch: int, last: _Last
    ) -> None:
        """Publish in order behind `last`, or as late where a later epoch wrote that."""
        record, late = item.record, epoch < last.epoch
        headers = {
            Header.MSG_ID.value: record.id,
            EPOCH: str(epoch),
            SEQ: str(record.seq),
        }
        if late:
            headers[LATE] = str(last.epoch)
        else:
            headers[Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value] = str(last.position)
        answer = await jetstream.publish(self._subject(record.account), item.body, headers=headers)
        if not answer.duplicate:
            self._last[record.account] = _Last(answer.seq, last.epoch if late else epoch)

    async def _ask_last(self, jetstream: JetStreamContext, account: str) -> _Last:
        """Where the subject is, and the highest epoch that wrote there."""
        try:
            found = await jetstream.get_last_msg(self._connection.log, self._subject(account))
        except nats.js.errors.NotFoundError:
            last = _Last(0, 0)
        else:
            headers = found.headers or {}
            last = _Last(found.seq or 0, _newest_epoch(headers))
        self._last[account] = last
        return last

    async def _fenced_ns(
        self, jetstream: JetStreamContext, account: str, epoch: int, last: _Last
    ) -> int:
        """When the epoch after this one began: epochs only grow, so halving finds its fence."""
        known = self._fences.get((account, epoch))
        if known is not None:
            return known
        low, high, found = 1, last.position, 0
        while low <= high:
            middle = (low + high) // 2
            message = await jetstream.get_msg(
                self._connection.log, middle, subject=self._subject(account), next=True
            )
            headers, position = message.headers or {}, message.seq or 0
            if _newest_epoch(headers) > epoch:
                high, found = middle - 1, int(headers.get(FENCE, found))
            else:
                low = position + 1
        self._fences[account, epoch] = found
        return found

    def _subject(self, account: str) -> str:
        return f"{self._connection.log}.{account}"


def _newest_epoch(headers: Mapping[str, str]) -> int:
    """Of all that wrote up to this message: a late one says which came after its own."""
    return int(headers.get(LATE) or headers[EPOCH])
