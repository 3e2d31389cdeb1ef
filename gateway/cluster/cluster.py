"""The cluster, as the rest of the house sees it: what `app` opens and `steward` asks."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import uuid4

import trio

from gateway import __version__
from gateway.accounts import Roster
from gateway.clock import Clock
from gateway.cluster import happenings
from gateway.cluster.board import BoardUnavailable, Engine
from gateway.cluster.copies import Copies
from gateway.cluster.epochs import OwnedEpochs
from gateway.cluster.keeper import Keeper
from gateway.cluster.log_sink import LogSink, wait_told
from gateway.cluster.lookout import Lookout
from gateway.cluster.nats import open_nats
from gateway.cluster.notes import WISHES, Member, decode, encode
from gateway.cluster.placement import Wishes
from gateway.cluster.settings import ClusterSettings
from gateway.cluster.status import ClusterStatus, status_of
from gateway.cluster.transfers import Transfers
from gateway.contracts.adapter import ConfiguredAccount
from gateway.contracts.sink import ConfiguredSink
from gateway.delivery import Delivery
from gateway.journal import Journal

WISH_ATTEMPTS: Final = 5
"""How often a wish is written when others write theirs at the same moment."""


class Cluster:
    """This gateway's place in its cluster. Made by `open_cluster`."""

    def __init__(
        self,
        me: str,
        settings: ClusterSettings,
        engine: Engine,
        epochs: OwnedEpochs,
        *,
        journal: Journal,
        delivery: Delivery,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._epochs = epochs
        self._journal = journal
        self._copies = Copies(engine, journal, clock, partial(wait_told, delivery))
        self._log_sink = LogSink(settings, engine.log)
        member = Member(name=me, session=uuid4().hex, version=__version__, weight=settings.weight)
        self._lookout = Lookout(engine.board, member)
        self._keeper: Keeper | None = None
        self._accounts: dict[str, ConfiguredAccount] = {}

    def with_log(self, sinks: Mapping[str, ConfiguredSink]) -> dict[str, ConfiguredSink]:
        """The configured sinks, and the shared log."""
        return self._log_sink.beside(sinks)

    async def learn(self, accounts: Mapping[str, ConfiguredAccount]) -> None:
        """Remember when this gateway owned these accounts; before the log is served."""
        for name in accounts:
            if not self._epochs.knows(name):
                self._epochs.load(name, await self._journal.load_book(name))

    async def reconfigure(
        self, roster: Roster, accounts: Mapping[str, ConfiguredAccount]
    ) -> dict[str, list[str]]:
        """Share exactly these accounts. Those that run here and did not change never notice.

        Returns the names by what became of them, as the roster does.
        """
        await self.learn(accounts)
        old, new = self._accounts, dict(accounts)
        here = [name for name, one in roster.status().items() if name in new]
        await roster.reconfigure({name: new[name] for name in here})
        self._accounts = new
        if self._keeper is not None:
            self._keeper.configure(new)
        return {
            "added": [name for name in new if name not in old],
            "removed": [name for name in old if name not in new],
            "changed": [name for name in new if name in old and new[name] != old[name]],
            "unchanged": [name for name in new if new[name] == old.get(name)],
        }

    @asynccontextmanager
    async def keeping(self, roster: Roster, hurry: trio.Event | None) -> AsyncIterator[None]:
        """Share the accounts until the block ends; then hand them over.

        Setting `hurry` leaves what was not handed over to be taken, with a gap.
        """
        transfers = Transfers(
            self._lookout,
            board=self._engine.board,
            copies=self._copies,
            epochs=self._epochs,
            roster=roster,
            journal=self._journal,
        )
        keeper = Keeper(
            self._lookout, transfers, self._copies, roster, replicas=self._settings.replicas
        )
        keeper.configure(self._accounts)
        self._keeper = keeper
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            try:
                yield
                await self._leave(keeper, hurry)
            finally:
                nursery.cancel_scope.cancel()

    async def _leave(self, keeper: Keeper, hurry: trio.Event | None) -> None:
        with trio.move_on_after(self._settings.hand_over) as patience:
            async with trio.open_nursery() as nursery:
                if hurry is not None:
                    nursery.start_soon(_cancel_on, hurry, patience)
                await keeper.hand_everything_over()
                nursery.cancel_scope.cancel()
        if patience.cancelled_caught:
            happenings.HAND_OVER_CUT.emit(accounts=len(keeper.owned()))
        if keeper.reachable:
            try:
                await self._lookout.say_goodbye()
            except BoardUnavailable as error:
                happenings.UNREACHABLE.emit(error=str(error))

    # --- for operators -----------------------------------------------------------------

    def status(self) -> ClusterStatus:
        """The whole cluster."""
        reachable = self._keeper is not None and self._keeper.reachable
        settings = self._settings
        return status_of(settings.name, settings.engine, self._lookout.view, reachable=reachable)

    async def wish(self, change: Callable[[Wishes], Wishes]) -> Wishes:
        """Change what operators want. Raises `BoardUnavailable`."""
        for _ in range(WISH_ATTEMPTS):
            note = await self._engine.board.read(WISHES)
            wishes = change(Wishes() if note is None else decode(note.value, Wishes))
            revision = 0 if note is None else note.revision
            if await self._engine.board.write(WISHES, encode(wishes), revision) is not None:
                return wishes
        raise BoardUnavailable("others change the cluster's wishes at this moment; try again")


@asynccontextmanager
async def open_cluster(
    me: str,
    settings: ClusterSettings,
    *,
    journal: Journal,
    delivery: Delivery,
    clock: Clock,
) -> AsyncIterator[Cluster]:
    """Open the engine; nothing is taken before `keeping`."""
    epochs = OwnedEpochs()
    async with open_nats(settings, epochs) as engine:
        yield Cluster(me, settings, engine, epochs, journal=journal, delivery=delivery, clock=clock)


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
