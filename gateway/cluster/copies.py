"""Copies of books on the board, and the book that a new owner makes of one.

A copy is brought up to date by the shared log's tail (`gateway.accounts.heritage`), so
it need not be new; a newer one only makes that tail shorter.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec
import trio

from gateway.accounts.heritage import inherit, without_history
from gateway.accounts.rows import Gap, Rows, Section, StreamKey, change, load_stream
from gateway.clock import Clock
from gateway.cluster.board import Engine
from gateway.cluster.notes import (
    BookCopy,
    Lives,
    book_key,
    decode,
    decode_book,
    encode,
    encode_book,
    lives_key,
)
from gateway.errors import GatewayError
from gateway.events.codec import decode as decode_event
from gateway.events.model import StreamReason
from gateway.journal import Journal

TOLD_SECONDS: Final = 10.0
"""How long the shared log may take for what the journal holds, before a copy is given up."""

Told = Callable[[int], Awaitable[None]]
"""Waits until the shared log has everything up to a seq of the journal."""


class NotTold(GatewayError):
    """The shared log is too far behind: a copy now would leave out what it lacks."""


class Superseded(GatewayError):
    """Another gateway has a later epoch of the account."""


class Heirloom(msgspec.Struct, frozen=True):
    """A book as its last owner left it."""

    rows: dict[tuple[str, str], bytes]
    life_ns: int
    """When that owner's stream last proved to be alive."""


class Copies:
    """Writes and reads copies of books."""

    def __init__(self, engine: Engine, journal: Journal, clock: Clock, told: Told) -> None:
        self._board = engine.board
        self._log = engine.log
        self._journal = journal
        self._clock = clock
        self._told = told
        self._revisions: dict[str, int] = {}
        """Of our own last copy of each account."""

    async def make(self, account: str, epoch: int, life_ns: int) -> None:
        """Write down the book as it stands, once the log has all that follows from it.

        Raises `NotTold`, `Superseded` or `BoardUnavailable`.
        """
        position = await self._log.last_position(account)
        seq = self._journal.last_seq
        rows = await self._journal.load_book(account)
        await self._journal.append_nowait([]).wait()
        await self._wait_told(f"events of {account}")
        rows = _as_owner(without_history(rows, self._clock.now_ns()), life_ns)
        await self._write(
            account, BookCopy(epoch=epoch, seq=seq, position=position, rows=_nested(rows))
        )

    async def inherit(
        self, account: str, epoch: int, previous: Sequence[str], ahead_ns: int = 0
    ) -> Heirloom | None:
        """Fence off earlier owners, and work out the book that they left.

        The proofs of life that the `previous` gateways noted count; their clock was ahead of
        ours by `ahead_ns`, and a gap must not begin after what was missed. None where nobody
        ever told the cluster anything about the account. Raises
        `Superseded` or `BoardUnavailable`.
        """
        if not await self._log.fence(account, epoch, self._clock.now_ns()):
            raise Superseded(f"{account} has a later owner")
        note = await self._board.read(book_key(account))
        copy = None if note is None else decode_book(note.value)
        tail = await self._log.read(account, 0 if copy is None else copy.position)
        if copy is None and not tail:
            return None
        self._revisions[account] = 0 if note is None else note.revision
        since = (0, 0) if copy is None else (copy.epoch, copy.seq)
        rows = inherit(
            {} if copy is None else _flat(copy.rows),
            [decode_event(one.body)[1] for one in tail if (one.epoch, one.seq) > since],
        )
        lives = [await self._life(gateway, account) for gateway in previous]
        life_ns = max([load_life(rows), *lives]) - max(0, ahead_ns)
        return Heirloom(_as_heir(rows, life_ns, epoch), life_ns)

    async def keep(self, account: str, epoch: int, heirloom: Heirloom) -> None:
        """Write down what was inherited: from now on no earlier owner's copy is taken."""
        copy = BookCopy(
            epoch=epoch,
            seq=0,
            position=await self._log.last_position(account),
            rows=_nested(without_history(heirloom.rows, self._clock.now_ns())),
        )
        await self._write(account, copy)

    async def note_lives(self, gateway: str, lives: Mapping[str, int]) -> None:
        """Note proofs of life, for whoever has to take over.

        Only once the log has all that was heard up to them: a successor asks the venue for
        nothing older. Raises `NotTold` or `BoardUnavailable`.
        """
        await self._wait_told(f"events of {gateway}")
        key = lives_key(gateway)
        value = encode(Lives(dict(lives)))
        revision = await self._board.write(key, value, self._revisions.get(key, 0))
        if revision is None:
            # An earlier run of this gateway wrote it; nobody else does.
            note = await self._board.read(key)
            revision = 0 if note is None else note.revision
        self._revisions[key] = revision

    async def _wait_told(self, what: str) -> None:
        with trio.move_on_after(TOLD_SECONDS) as patience:
            await self._told(self._journal.last_seq)
        if patience.cancelled_caught:
            raise NotTold(f"the shared log lacks {what}")

    async def _life(self, gateway: str, account: str) -> int:
        note = await self._board.read(lives_key(gateway))
        return 0 if note is None else decode(note.value, Lives).by_account.get(account, 0)

    async def _write(self, account: str, copy: BookCopy) -> None:
        key = book_key(account)
        revision = self._revisions.get(account)
        if revision is None:
            note = await self._board.read(key)
            if note is not None and decode_book(note.value).epoch > copy.epoch:
                raise Superseded(f"{account} has a later owner")
            revision = 0 if note is None else note.revision
        written = await self._board.write(key, encode_book(copy), revision)
        if written is None:
            self._revisions.pop(account, None)
            raise Superseded(f"another gateway wrote the book of {account}")
        self._revisions[account] = written


def load_life(rows: Rows) -> int:
    """The last proof of life in a book."""
    return load_stream(rows, StreamKey.LIFE, int) or 0


def _as_owner(rows: dict[tuple[str, str], bytes], life_ns: int) -> dict[tuple[str, str], bytes]:
    """With the newest proof of life, and without the gap that this gateway's goodbye opened."""
    gap = load_stream(rows, StreamKey.GAP, Gap)
    if gap is not None and gap.reason is StreamReason.MOVED:
        _put(rows, StreamKey.GAP, None)
    _put(rows, StreamKey.LIFE, max(life_ns, load_life(rows)))
    return rows


def _as_heir(
    rows: dict[tuple[str, str], bytes], life_ns: int, epoch: int
) -> dict[tuple[str, str], bytes]:
    """With stream events numbered so that no other owner's have the same ids."""
    counter = load_stream(rows, StreamKey.COUNTER, int) or 0
    _put(rows, StreamKey.COUNTER, max(counter, epoch << 32))
    _put(rows, StreamKey.LIFE, life_ns)
    return rows


def _put(rows: dict[tuple[str, str], bytes], key: StreamKey, value: object) -> None:
    _, _, _, encoded = change("", Section.STREAM, key.value, value)
    if encoded is None:
        rows.pop((Section.STREAM.value, key.value), None)
    else:
        rows[Section.STREAM.value, key.value] = encoded


def _nested(rows: Rows) -> dict[str, dict[str, bytes]]:
    nested: dict[str, dict[str, bytes]] = {}
    for (section, key), value in rows.items():
        nested.setdefault(section, {})[key] = value
    return nested


def _flat(nested: Mapping[str, Mapping[str, bytes]]) -> dict[tuple[str, str], bytes]:
    return {
        (section, key): value for section, rows in nested.items() for key, value in rows.items()
    }
