"""The lookout: says that this gateway lives, and reads what the others say."""

import msgspec
import trio

from gateway.clock import Clock
from gateway.cluster import happenings
from gateway.cluster.board import Board, BoardForgot, BoardUnavailable
from gateway.cluster.clocks import Clocks
from gateway.cluster.notes import LEASE_SECONDS, OWNERS, WISHES, Member, Ownership, decode, encode
from gateway.cluster.placement import Wishes
from gateway.cluster.view import Owned, View
from gateway.wire.pauses import boot_seconds


class Lookout:
    """This gateway's picture of the board."""

    def __init__(self, board: Board, member: Member, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self.clocks = Clocks()
        self._differing: set[str] = set()
        """Gateways of whose clocks the log tells already."""
        self.member = member
        self.view = View(members={}, owners={})
        self.mine: set[str] = set()
        """Accounts that this gateway owns, configured here or not."""
        self._owners: dict[str, Owned] = {}
        self._newest = 0
        """Revision of the newest ownership that was seen."""
        self._said_at: float | None = None
        self._steady_from: float | None = None
        """Since when nothing has come between us and the board, by Trio's clock."""

    async def say_alive(self) -> None:
        """Renew the lease. Raises `BoardUnavailable`."""
        asked_at = boot_seconds()
        now = msgspec.structs.replace(self.member, clock_ns=self._clock.now_ns())
        await self._board.keep(self.member.name, encode(now))
        if self._said_at is None:
            happenings.JOINED.emit(name=self.member.name)
        elif asked_at - self._said_at > LEASE_SECONDS:
            happenings.LAPSED.emit(seconds=round(asked_at - self._said_at, 1))
        self._said_at = asked_at

    async def say_goodbye(self) -> None:
        """Give the lease up. Raises `BoardUnavailable`."""
        await self._board.let_go(self.member.name)

    async def look(self) -> View:
        """Read what changed. Raises `BoardUnavailable`."""
        try:
            return await self._look()
        except BoardUnavailable as error:
            self._steady_from = None
            if isinstance(error, BoardForgot):
                self._owners.clear()
                self.mine.clear()
                self._newest = 0
            raise

    async def _look(self) -> View:
        kept = await self._board.kept()
        members = {name: decode(value, Member) for name, value in kept.items()}
        self._tell_changes(members)
        self._compare_clocks(members)
        for note in await self._board.news(OWNERS, self._newest):
            self._newest = note.revision
            account = note.key.removeprefix(f"{OWNERS}.")
            self._note(account, Owned(decode(note.value, Ownership), note.revision))
        wishes = await self._board.read(WISHES)
        self.view = View(
            members=members,
            owners=dict(self._owners),
            wishes=Wishes() if wishes is None else decode(wishes.value, Wishes),
            is_steady=self._is_steady(members),
        )
        return self.view

    @property
    def has_lease(self) -> bool:
        """Whether the others saw us as alive at the last look."""
        return self._steady_from is not None

    def _is_steady(self, members: dict[str, Member]) -> bool:
        now = trio.current_time()
        if self.member.name not in members:
            self._steady_from = None
            return False
        if self._steady_from is None:
            self._steady_from = now
        return now - self._steady_from >= LEASE_SECONDS

    def note_owned(self, account: str, owned: Owned) -> None:
        """Take what we wrote ourselves as seen."""
        self._note(account, owned)
        self.view = msgspec.structs.replace(self.view, owners=dict(self._owners))

    def owned(self, account: str) -> Owned | None:
        """The account's ownership, as last seen."""
        return self._owners.get(account)

    def _note(self, account: str, owned: Owned) -> None:
        known = self._owners.get(account)
        if known is None or known.revision < owned.revision:
            self._owners[account] = owned
            if owned.ownership.owner == self.member.name:
                self.mine.add(account)
            else:
                self.mine.discard(account)

    def _compare_clocks(self, members: dict[str, Member]) -> None:
        self.clocks.hear(members, self._clock.now_ns())
        ahead = {name: self.clocks.ahead_ns(name) for name in members}
        for name, by_ns in ahead.items():
            if by_ns and name not in self._differing:
                happenings.CLOCKS_DIFFER.emit(gateway=name, ahead_seconds=round(by_ns / 1e9, 1))
        self._differing = {name for name, by_ns in ahead.items() if by_ns}

    def _tell_changes(self, members: dict[str, Member]) -> None:
        me = members.get(self.member.name)
        if me is not None and me.session != self.member.session:
            happenings.SAME_NAME.emit(name=self.member.name)
        if members.keys() != self.view.members.keys():
            happenings.MEMBERS.emit(
                members=sorted(members), gone=sorted(self.view.members.keys() - members.keys())
            )
