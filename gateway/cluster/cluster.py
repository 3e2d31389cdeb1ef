"""The cluster, as the rest of the house sees it: what `app` opens and `steward` asks."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import uuid4

import trio

from gateway import __version__
from gateway.accounts import Roster
from gateway.accounts.roster import Wanted, enabled
from gateway.clock import Clock
from gateway.cluster import happenings
from gateway.cluster.board import BoardUnavailable, Engine
from gateway.cluster.copies import Copies
from gateway.cluster.engines import ENGINES
from gateway.cluster.epochs import OwnedEpochs
from gateway.cluster.keeper import Keeper
from gateway.cluster.log_sink import LogSink, wait_told
from gateway.cluster.lookout import Lookout
from gateway.cluster.notes import WISHES, Member, decode, encode
from gateway.cluster.placement import Wishes
from gateway.cluster.settings import ClusterSettings
from gateway.cluster.status import ClusterStatus, status_of
from gateway.cluster.transfers import Transfers
from gateway.contracts.adapter import ConfiguredAccount
from gateway.contracts.changes import changes_between
from gateway.contracts.sink import ConfiguredSink
from gateway.delivery import Delivery
from gateway.errors import GatewayError
from gateway.journal import Journal
from gateway.telemetry.metrics import Metrics

WISH_ATTEMPTS: Final = 5
"""How often a wish is written when others write theirs at the same moment."""


class UnknownToCluster(GatewayError):
    """An operator named a gateway or an account that the cluster does not know."""


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
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._epochs = epochs
        self._journal = journal
        self._clock = clock
        self._copies = Copies(engine, journal, clock, partial(wait_told, delivery))
        self._log_sink = LogSink(settings, engine.log)
        member = Member(name=me, session=uuid4().hex, version=__version__, weight=settings.weight)
        self._lookout = Lookout(engine.board, member, clock)
        self._keeper: Keeper | None = None
        self._accounts: Mapping[str, Wanted] = {}
        self._metrics = metrics
        metrics.before_scrape(self._show)

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
        wanted = enabled(accounts)
        changes = changes_between(self._accounts, wanted)
        for name in changes["changed"]:
            account = roster.account(name)
            if account is not None and account.standby is not None:
                await roster.drop(name)  # stands by again as it is now
        here = [name for name in roster.names() if name in wanted]
        await roster.reconfigure({name: accounts[name] for name in here})
        self._accounts = wanted
        if self._keeper is not None:
            self._keeper.configure(self._configured())
        return changes

    def _configured(self) -> dict[str, ConfiguredAccount]:
        return {name: one.configured for name, one in self._accounts.items()}

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
            clock=self._clock,
        )
        keeper = Keeper(
            self._lookout, transfers, self._copies, roster, replicas=self._settings.replicas
        )
        keeper.configure(self._configured())
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

    def _show(self) -> None:
        """Set the gauges right before a scrape."""
        status = self.status()
        mine = sum(one.owner == self._lookout.member.name for one in status.accounts.values())
        orphans = sum(not one.alive for one in status.accounts.values())
        self._metrics.cell("gateway_cluster_reachable").set(status.reachable)
        self._metrics.cell("gateway_cluster_members").set(len(status.members))
        self._metrics.cell("gateway_cluster_accounts_owned").set(mine)
        self._metrics.cell("gateway_cluster_accounts_orphaned").set(orphans)

    # --- for operators -----------------------------------------------------------------

    def status(self) -> ClusterStatus:
        """The whole cluster."""
        reachable = self._keeper is not None and self._keeper.reachable
        settings = self._settings
        return status_of(settings.name, settings.engine, self._lookout.view, reachable=reachable)

    async def drain(self, gateway: str, *, drained: bool = True) -> None:
        """Have a gateway own nothing, or its share again. It need not be there.

        Raises `UnknownToCluster` for a name that no gateway has, and `BoardUnavailable`.
        """
        self._require_gateway(gateway)
        await self._wish(lambda wishes: wishes.with_drained(gateway, drained=drained))

    async def pin(self, account: str, gateway: str | None) -> None:
        """Have an account owned by that gateway while it is there; None: by any.

        Raises `UnknownToCluster` and `BoardUnavailable`.
        """
        # An account that left the configuration may have left its pin behind.
        leftover = gateway is None and account in self._lookout.view.wishes.pins
        if account not in self._accounts and not leftover:
            raise UnknownToCluster(f"there is no account {account} in the configuration")
        if gateway is not None:
            self._require_gateway(gateway)
        await self._wish(lambda wishes: wishes.with_pin(account, gateway))

    def _require_gateway(self, name: str) -> None:
        view = self._lookout.view
        if name not in (*view.members, *view.wishes.drained):
            there = ", ".join(sorted(view.members)) or "none"
            raise UnknownToCluster(f"there is no gateway {name} (there are: {there})")

    async def _wish(self, change: Callable[[Wishes], Wishes]) -> None:
        for _ in range(WISH_ATTEMPTS):
            note = await self._engine.board.read(WISHES)
            wishes = change(Wishes() if note is None else decode(note.value, Wishes))
            revision = 0 if note is None else note.revision
            if await self._engine.board.write(WISHES, encode(wishes), revision) is not None:
                return
        raise BoardUnavailable("others change the cluster's wishes at this moment; try again")


@asynccontextmanager
async def open_cluster(
    me: str,
    settings: ClusterSettings,
    *,
    journal: Journal,
    delivery: Delivery,
    clock: Clock,
    metrics: Metrics,
) -> AsyncIterator[Cluster]:
    """Open the engine; nothing is taken before `keeping`."""
    epochs = OwnedEpochs()
    async with ENGINES[settings.engine](settings, epochs) as engine:
        yield Cluster(
            me,
            settings,
            engine,
            epochs,
            journal=journal,
            delivery=delivery,
            clock=clock,
            metrics=metrics,
        )


async def _cancel_on(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
