"""How one account comes to this gateway, and how it leaves: the steps, one at a time.

Each step ends in one compare-and-set on the board, or in nothing at all: what was cut
off in the middle is found again by the next look, and taken from there.
"""

from typing import Final

import msgspec
import trio

from gateway.accounts import Roster
from gateway.accounts.coverage import Coverage
from gateway.accounts.rows import BookChange, Rows, Section
from gateway.accounts.supervisor import OVERLAP_SECONDS
from gateway.clock import Clock
from gateway.cluster import happenings
from gateway.cluster.board import Board
from gateway.cluster.copies import Copies, Heirloom
from gateway.cluster.epochs import OwnedEpochs
from gateway.cluster.lookout import Lookout
from gateway.cluster.notes import Ownership, encode, owner_key
from gateway.cluster.view import Act, Owned
from gateway.contracts.adapter import ConfiguredAccount
from gateway.events.model import StreamReason
from gateway.journal import Journal

NOBODY: Final = Owned(Ownership(epoch=0, owner=""), 0)
"""Where no gateway has ever owned the account."""


class Transfers:
    """Carries out what was decided about single accounts."""

    def __init__(
        self,
        lookout: Lookout,
        *,
        board: Board,
        copies: Copies,
        epochs: OwnedEpochs,
        roster: Roster,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._me = lookout.member.name
        self._lookout = lookout
        self._board = board
        self._copies = copies
        self._epochs = epochs
        self._roster = roster
        self._journal = journal
        self._clock = clock

    async def carry_out(self, act: Act, configured: ConfiguredAccount, owned: Owned) -> None:
        """Take one step. Raises `BoardUnavailable`, `Superseded` or `NotTold`."""
        name = configured.name
        match act:
            case Act.RUN:
                await self._run(configured, owned)
            case Act.TAKE:
                await self._take(configured, owned)
            case Act.STAND_BY:
                await self._roster.add(configured, standing_by=True)
            case Act.ASK:
                asking = msgspec.structs.replace(owned.ownership, successor=self._me)
                await self._write(name, asking, owned)
            case Act.WITHDRAW:
                asking = msgspec.structs.replace(owned.ownership, successor=None)
                await self._write(name, asking, owned)
            case Act.ADMIT:
                await self._admit(configured, owned.ownership)
            case Act.HAND_OVER:
                await self._hand_over(name, owned)
            case Act.GIVE_UP:
                await self.give_up(name)

    # --- coming ----------------------------------------------------------------------

    async def _run(self, configured: ConfiguredAccount, owned: Owned) -> None:
        """Run what is ours: as an earlier run of this gateway left it, if that is here."""
        if self._epochs.latest(configured.name) == owned.ownership.epoch:
            await self._roster.add(configured)
        else:
            # Another disk: what that run had not told yet is not here to go on from.
            await self._take(configured, owned)

    async def _take(self, configured: ConfiguredAccount, owned: Owned) -> None:
        """Make an account ours whose owner is dead, or that never had one."""
        taken = owned.ownership.taken_by(self._me)
        if await self._write(configured.name, taken, owned):
            await self._admit(configured, taken)

    async def _admit(self, configured: ConfiguredAccount, ownership: Ownership) -> None:
        """Take over the book, then run the account on it."""
        name, dead = configured.name, ownership.taken_from
        # It may have been ours, on a disk that is gone: then our own proofs are the newest.
        previous = () if dead is None else (dead, self._me)
        ahead_ns = 0 if dead is None else self._lookout.clocks.ahead_ns(dead)
        heirloom = await self._copies.inherit(name, ownership.epoch, previous, ahead_ns)
        # What of ours the log did not take, since our successor's word stood for it, that one
        # may never have told: where it is still news, it has to be journalled once more.
        await self._journal.release_ids(self._epochs.take_passed_over(name))
        old = await self._journal.load_book(name)
        if heirloom is not None:
            await self._tell_absence(configured, old, heirloom.life_ns)
        await self._replace_book(name, ownership.epoch, old, heirloom)
        if heirloom is not None:
            await self._copies.keep(name, ownership.epoch, heirloom)
        account = self._roster.account(name)
        if account is None:
            await self._roster.add(configured)
        elif account.standby is not None:
            heard_all = heirloom is None or account.standby.heard_all_since(heirloom.life_ns)
            await account.admit(seamless=dead is None or heard_all)
        happenings.TAKEN.emit(account=name, epoch=ownership.epoch, taken_from=dead)

    async def _tell_absence(self, configured: ConfiguredAccount, old: Rows, until_ns: int) -> None:
        """End the gap that our own sinks have while others own the account.

        What happened in it stands in the shared log, which they do not read. This is
        journalled before our epoch begins, and so stays out of that log.
        """
        name, venue = configured.name, configured.spec.name
        record = self._journal.append_nowait
        coverage = Coverage(name, venue, clock=self._clock, record=record)
        coverage.load(old)  # opens the gap where an earlier run of ours could not
        if coverage.gap is None:
            return  # it never was ours
        coverage.extend(max(until_ns, coverage.gap.since_ns))
        coverage.close_gap(
            StreamReason.MOVED,
            complete=False,
            recovered=0,
            detail="other gateways owned the account: the shared log has what they heard",
        )
        await self._journal.append_nowait([]).wait()

    async def _replace_book(
        self, name: str, epoch: int, old: Rows, heirloom: Heirloom | None
    ) -> None:
        changes: list[BookChange] = []
        if heirloom is not None:
            gone = [
                key for key in old if key not in heirloom.rows and key[0] != Section.OWNERSHIP.value
            ]
            changes += [(name, *key, None) for key in gone]
            changes += [(name, *key, value) for key, value in heirloom.rows.items()]
        changes += self._epochs.begin(name, epoch, self._journal.last_seq + 1)
        await self._journal.append_nowait([], changes).wait()

    # --- leaving ---------------------------------------------------------------------

    async def _hand_over(self, name: str, owned: Owned) -> None:
        """Let go of an account: its successor is live, and has been for a moment."""
        ownership = owned.ownership
        assert ownership.successor is not None
        account = self._roster.account(name)
        assert account is not None
        # What was sent before the successor subscribed may still be on its way to us.
        await trio.sleep(OVERLAP_SECONDS)
        await self._roster.drop(name)
        await self._copies.make(name, ownership.epoch, account.coverage.life_ns)
        if await self._write(name, ownership.handed_to(ownership.successor), owned):
            await self._end_epoch(name)
            happenings.HANDED_OVER.emit(account=name, to=ownership.successor)

    async def give_up(self, name: str) -> None:
        """Have nothing to do with an account any more."""
        account = self._roster.account(name)
        if account is None:
            return
        was_ours = account.standby is None
        await self._roster.drop(name)
        if was_ours:
            await self._end_epoch(name)
            happenings.FENCED.emit(account=name)

    async def _end_epoch(self, name: str) -> None:
        """What is journalled about the account from here on is nobody else's."""
        await self._journal.append_nowait([]).wait()
        changes = self._epochs.begin(name, 0, self._journal.last_seq + 1)
        await self._journal.append_nowait([], changes).wait()

    async def _write(self, name: str, ownership: Ownership, owned: Owned) -> bool:
        """Write an ownership; False where somebody else wrote before."""
        key = owner_key(name)
        revision = await self._board.write(key, encode(ownership), owned.revision)
        if revision is None:
            return False
        self._lookout.note_owned(name, Owned(ownership, revision))
        return True
