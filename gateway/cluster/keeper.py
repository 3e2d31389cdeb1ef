"""The keeper: this gateway's part in its cluster, look by look.

It looks at the board, and has done what `view.decide` finds. While the engine does not
answer nothing is decided: accounts go on being journalled where they are, and what waits
for the shared log waits in the journal.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import trio

from gateway.accounts import Roster
from gateway.accounts.account import Account
from gateway.cluster import happenings
from gateway.cluster.board import BoardUnavailable
from gateway.cluster.copies import Copies, NotTold, Superseded
from gateway.cluster.lookout import Lookout
from gateway.cluster.notes import RENEW_SECONDS
from gateway.cluster.transfers import NOBODY, Transfers
from gateway.cluster.view import Act, Owned, Plan, Presence, decide
from gateway.contracts.adapter import ConfiguredAccount
from gateway.wire.keepalive import every

LOOK_SECONDS: Final = 0.5
"""Between two looks at the board. What follows from a death waits so long at most."""

RETRY_SECONDS: Final = 0.2
"""After a renewal that got no answer: another server may have one before the lease is over."""

AT_ONCE: Final = 64
"""Accounts that come or go at the same time; more would only wait for the venue's limits."""

COPY_SECONDS: Final = 30.0
"""How often the book of an account in which something happened is copied."""

LIVES_SECONDS: Final = 2.0
"""How often proofs of life are noted: by so much may a gap begin too early."""


class Keeper:
    """Sees to it that this gateway has the accounts that it should have."""

    def __init__(
        self,
        lookout: Lookout,
        transfers: Transfers,
        copies: Copies,
        roster: Roster,
        *,
        replicas: int,
    ) -> None:
        self._me = lookout.member.name
        self._lookout = lookout
        self._transfers = transfers
        self._copies = copies
        self._roster = roster
        self._accounts: dict[str, ConfiguredAccount] = {}
        """All that are configured and enabled, whoever owns them."""
        self._names: frozenset[str] = frozenset()
        self._plan = Plan(self._me, replicas=replicas)
        self._busy: set[str] = set()
        self._slots = trio.CapacityLimiter(AT_ONCE)
        self._looked = trio.Event()
        self.reachable = True
        """Whether the engine answered last."""

    def configure(self, accounts: Mapping[str, ConfiguredAccount]) -> None:
        """Share these accounts with the others."""
        self._accounts = dict(accounts)
        self._names = frozenset(accounts)

    async def run(self) -> None:
        """Do this gateway's part until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._say_alive)
            nursery.start_soon(self._look_on, nursery)
            nursery.start_soon(self._note_lives)
            nursery.start_soon(self._copy_books)

    async def hand_everything_over(self) -> None:
        """Leave: wait until others have taken what this gateway owns, as far as there are any.

        An engine that does not answer is waited for, too: mostly it elects a leader.
        """
        self._lookout.member = msgspec.structs.replace(self._lookout.member, leaving=True)
        while self.owned() and self._others():
            await self._looked.wait()

    def owned(self) -> list[str]:
        """Accounts of this configuration that this gateway owns."""
        return sorted(self._lookout.mine & self._names)

    def _others(self) -> bool:
        view = self._lookout.view
        return any(
            not one.leaving and name not in view.wishes.drained
            for name, one in view.members.items()
            if name != self._me
        )

    # --- tasks -----------------------------------------------------------------------

    async def _say_alive(self) -> None:
        while True:
            try:
                await self._lookout.say_alive()
            except BoardUnavailable as error:
                self._note_reachable(str(error))
                await trio.sleep(RETRY_SECONDS)
            else:
                await trio.sleep(RENEW_SECONDS)

    async def _look_on(self, nursery: trio.Nursery) -> None:
        while True:
            try:
                await self._lookout.look()
            except BoardUnavailable as error:
                self._note_reachable(str(error))
            else:
                self._note_reachable(None)
                await self._begin(nursery)
            self._looked.set()
            self._looked = trio.Event()
            await trio.sleep(LOOK_SECONDS)

    async def _begin(self, nursery: trio.Nursery) -> None:
        if not self._lookout.has_lease:
            return  # nothing is taken or given without one
        for _ in self._plan.renew(self._names, self._lookout.view):
            await trio.lowlevel.checkpoint()  # the lease, and every account, goes on meanwhile
        view = self._lookout.view  # with what was written meanwhile
        for name, act in decide(self._me, view, self._plan.placed, self._presences()):
            if name not in self._busy:
                self._start(nursery, act, name)
        for name in self._roster.names():
            if name not in self._accounts and name not in self._busy:
                self._start(nursery, Act.GIVE_UP, name)

    def _start(self, nursery: trio.Nursery, act: Act, name: str) -> None:
        self._busy.add(name)
        owned = self._lookout.owned(name)
        nursery.start_soon(self._act, act, name, owned, name=f"cluster:{name}")

    async def _act(self, act: Act, name: str, owned: Owned | None) -> None:
        try:
            async with self._slots:
                configured = self._accounts.get(name)
                if configured is None:
                    # A reload took it away while it waited, or while it came.
                    await self._transfers.give_up(name)
                elif self._lookout.owned(name) == owned:
                    await self._transfers.carry_out(act, configured, owned or NOBODY)
                # Else somebody wrote while it waited: the next look decides anew.
        except (BoardUnavailable, NotTold, Superseded) as error:
            happenings.STEP_FAILED.emit(account=name, step=act, error=str(error))
        finally:
            self._busy.discard(name)

    async def _note_lives(self) -> None:
        async for _ in every(LIVES_SECONDS):
            lives = {each.name: each.coverage.life_ns for each in self._mine()}
            try:
                if lives:
                    await self._copies.note_lives(self._me, lives)
            except BoardUnavailable as error:
                self._note_reachable(str(error))
            except NotTold:
                continue  # the worker of the log says what is wrong with it

    async def _copy_books(self) -> None:
        copied: dict[str, int] = {}
        async for _ in every(COPY_SECONDS):
            for account in self._mine():
                events = account.status().events
                if copied.get(account.name) == events or account.name in self._busy:
                    continue
                await self._copy(account)
                copied[account.name] = events

    async def _copy(self, account: Account) -> None:
        owned = self._lookout.owned(account.name)
        if owned is None or owned.ownership.owner != self._me:
            return
        try:
            await self._copies.make(account.name, owned.ownership.epoch, account.coverage.life_ns)
        except (BoardUnavailable, NotTold, Superseded) as error:
            happenings.STEP_FAILED.emit(account=account.name, step="copy", error=str(error))

    # --- what is ---------------------------------------------------------------------

    def _mine(self) -> list[Account]:
        found = [self._roster.account(name) for name in self._roster.names()]
        return [each for each in found if each is not None and each.standby is None]

    def _presences(self) -> dict[str, Presence]:
        """Of every account that is a matter of ours: all others are some gateway's and not here."""
        ours = {*self._plan.mine, *self._lookout.mine, *self._roster.names()}
        return {name: self._presence(name) for name in sorted(ours & self._names)}

    def _presence(self, name: str) -> Presence:
        account = self._roster.account(name)
        if account is None:
            return Presence.ABSENT
        if account.standby is None:
            return Presence.RUNNING
        return Presence.READY if account.standby.connections else Presence.STANDING_BY

    def _note_reachable(self, trouble: str | None) -> None:
        if (trouble is None) is self.reachable:
            return
        self.reachable = trouble is None
        if trouble is None:
            happenings.REACHABLE.emit()
        else:
            happenings.UNREACHABLE.emit(error=trouble)
