"""The steward: answers the door of a running gateway.

Everything that an operator may ask or order, over HTTP, `control.sock` or a
signal, ends here; `gateway.admin` knows only the protocol. Orders that cannot be
carried out say why and what to do, and change nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from gateway import __version__
from gateway.accounts import Roster
from gateway.accounts.account import Account
from gateway.admin.house import NotFound, NotNow
from gateway.admin.model import (
    AccountView,
    GatewayStatus,
    HeldPosition,
    OpenOrder,
    Probe,
    ReloadResult,
    ReplayOrder,
    Status,
)
from gateway.clock import Clock
from gateway.cluster import BoardUnavailable, Cluster, UnknownToCluster
from gateway.config import Config, load_config
from gateway.config.secrets import learn_secrets
from gateway.contracts.changes import changes_between
from gateway.delivery import Delivery, Range, SinkNotReady, SinkUnknown
from gateway.errors import GatewayError
from gateway.events.numbers import is_zero
from gateway.events.times import Timestamp, from_nanoseconds, to_nanoseconds
from gateway.journal import DeadLetter, Journal
from gateway.telemetry.happenings import Happening, Level
from gateway.telemetry.metrics import Metrics

WRITER_SILENT_SECONDS: Final = 30.0
"""The writer's thread shows life once a second, also on a full disk. Longer is stuck."""

NEEDS_RESTART: Final = ("name", "state_dir", "http", "journal", "heartbeat", "log", "cluster")
"""Sections that are wired up once, when the process starts."""

RELOADED = Happening("config_reloaded", Level.INFO, "A reload took effect.")
RELOAD_REFUSED = Happening(
    "config_reload_refused", Level.ERROR, "A reload changed nothing; the old configuration stays."
)


class Steward:
    """Implements `gateway.admin.house.House`."""

    def __init__(
        self,
        config: Config,
        path: Path,
        *,
        journal: Journal,
        delivery: Delivery,
        cluster: Cluster | None = None,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.config = config
        self.journal: Final = journal
        self.metrics: Final = metrics
        self._path = path
        self._delivery = delivery
        self._cluster = cluster
        self._roster: Roster | None = None
        self._started = from_nanoseconds(clock.now_ns())
        self._leaving = False
        self._one_reload = trio.Lock()
        self._reload_ok = metrics.cell("gateway_config_last_reload_successful")
        self._reload_ok.set(1)
        metrics.before_scrape(self._show_ready)

    def welcome(self, roster: Roster) -> None:
        """The accounts are there: the gateway is ready."""
        self._roster = roster

    def leave(self) -> None:
        """The gateway stops: no longer ready, though it still answers."""
        self._leaving = True

    # --- what is ----------------------------------------------------------------

    def health(self) -> Probe:
        """Whether loop and writer live. That this runs at all shows the loop does."""
        silent = self.journal.writer_silent_seconds
        if silent > WRITER_SILENT_SECONDS:
            return Probe(
                ok=False, reason=f"the journal's writer has been silent for {silent:.0f} s"
            )
        return Probe(ok=True, reason="alive")

    def readiness(self) -> Probe:
        """Whether events are journalled."""
        if self._leaving:
            return Probe(ok=False, reason="stopping")
        if self._roster is None:
            return Probe(ok=False, reason="starting")
        if self.journal.blocked:
            reason = self.journal.blocked_reason
            return Probe(ok=False, reason=f"the journal cannot write: {reason}")
        return Probe(ok=True, reason="journalling")

    def status(self) -> Status:
        """Everything at a glance."""
        return Status(
            gateway=GatewayStatus(
                name=self.config.name,
                version=__version__,
                started=self._started,
                ready=self.readiness().ok,
            ),
            accounts={} if self._roster is None else self._roster.status(),
            sinks=self._delivery.status(),
            journal=self.journal.status(),
            cluster=None if self._cluster is None else self._cluster.status(),
        )

    async def account(self, name: str) -> AccountView | None:
        """What an account holds."""
        await trio.lowlevel.checkpoint()
        account = None if self._roster is None else self._roster.account(name)
        return None if account is None else _view(account)

    # --- accounts ---------------------------------------------------------------

    async def reconnect(self, account: str) -> None:
        """Replace the account's connections, make before break."""
        self._roster_with(account).reconnect(account)
        await trio.lowlevel.checkpoint()

    async def recover(self, account: str) -> None:
        """Read REST for what may have been missed."""
        self._roster_with(account).recover(account)
        await trio.lowlevel.checkpoint()

    def _roster_with(self, account: str) -> Roster:
        if self._roster is None or self._leaving:
            raise NotNow("the gateway is starting or stopping; try again in a moment")
        if account not in self._roster.names():
            known = ", ".join(self._roster.names()) or "none"
            raise NotFound(f"there is no account {account} (running: {known})")
        if not self._roster.is_running(account):
            raise NotNow(f"account {account} is closed while the journal cannot write")
        return self._roster

    # --- cluster ----------------------------------------------------------------

    async def drain(self, gateway: str) -> None:
        """Have a gateway of the cluster own nothing."""
        with _Refusals():
            await self._in_cluster().drain(gateway)

    async def undrain(self, gateway: str) -> None:
        """Have it own its share again."""
        with _Refusals():
            await self._in_cluster().drain(gateway, drained=False)

    async def pin(self, account: str, gateway: str | None) -> None:
        """Have an account owned by that gateway; by any with None."""
        with _Refusals():
            await self._in_cluster().pin(account, gateway)

    def _in_cluster(self) -> Cluster:
        if self._cluster is None:
            raise NotNow("this gateway is in no cluster (`cluster:` in its configuration)")
        return self._cluster

    # --- sinks ------------------------------------------------------------------

    async def pause(self, sink: str) -> None:
        """Deliver nothing more to the sink."""
        with _Refusals():
            self._delivery.pause(sink)
        await trio.lowlevel.checkpoint()

    async def resume(self, sink: str) -> None:
        """Deliver again."""
        with _Refusals():
            self._delivery.resume(sink)
        await trio.lowlevel.checkpoint()

    async def forget(self, sink: str) -> None:
        """Drop the sink's cursor and dead letters."""
        with _Refusals():
            await self._delivery.forget(sink)

    async def replay(self, sink: str, order: ReplayOrder) -> int:
        """Send a range again; how many events it holds."""
        with _Refusals():
            report = await self._delivery.replay(sink, range_of(order), dry_run=order.dry_run)
        return report.matched

    async def dead_letters(self, sink: str | None, after: int, limit: int) -> Sequence[DeadLetter]:
        """Dead letters with greater numbers, in order."""
        return await self.journal.dead_letters(sink, after, limit)

    async def replay_dead_letters(self, sink: str | None, numbers: Sequence[int] | None) -> int:
        """Offer dead letters to their sinks again; how many were accepted."""
        sent = 0
        with _Refusals():
            for name, chosen in (await self._letters_by_sink(sink, numbers)).items():
                report = await self._delivery.dlq_replay(name, chosen)
                sent += report.sent
        return sent

    async def drop_dead_letters(self, sink: str | None, numbers: Sequence[int] | None) -> int:
        """Give dead letters up; how many."""
        chosen = [n for each in (await self._letters_by_sink(sink, numbers)).values() for n in each]
        return await self._delivery.dlq_drop(chosen)

    async def _letters_by_sink(
        self, sink: str | None, numbers: Sequence[int] | None
    ) -> dict[str, list[int]]:
        """The chosen dead letters. Raises `NotFound` rather than act on fewer than were named."""
        await self._delivery.learn_idle()
        if sink is not None and sink not in self._delivery.status():
            raise NotFound(f"no sink {sink} is known here")
        wanted = None if numbers is None else set(numbers)
        found: dict[str, list[int]] = {}
        after = 0
        while page := await self.journal.dead_letters(sink, after, 500):
            for letter in page:
                assert letter.number is not None
                after = letter.number
                if wanted is None or letter.number in wanted:
                    found.setdefault(letter.sink, []).append(letter.number)
        if missing := (wanted or set()).difference(*found.values()):
            which = ", ".join(str(number) for number in sorted(missing))
            raise NotFound(f"there is no dead letter {which}: `gateway dlq list` shows them")
        return found

    # --- reload -----------------------------------------------------------------

    async def reload(self) -> ReloadResult:
        """Read the files anew: first everything that can fail, then the difference."""
        async with self._one_reload:
            if self._roster is None or self._leaving:
                return _refused("the gateway is starting or stopping; try again in a moment")
            try:
                config = load_config(self._path)
                learn_secrets(config.secrets())
            except GatewayError as error:
                return self._refuse(str(error))
            if changed := _needing_restart(self.config, config):
                what = ", ".join(changed)
                return self._refuse(
                    f"a change of {what} needs a restart: systemctl restart gateway"
                )
            return await self._apply(config, self._roster)

    async def _apply(self, config: Config, roster: Roster) -> ReloadResult:
        sinks = changes_between(self.config.sinks, config.sinks)
        await self.serve_sinks(config)
        accounts = await self.run_accounts(config, roster)
        self.config = config
        result = ReloadResult(
            ok=True,
            message="the configuration was reloaded",
            **{
                word: tuple(
                    [f"account:{name}" for name in accounts[word]]
                    + [f"sink:{name}" for name in sinks[word]]
                )
                for word in ("added", "removed", "changed")
            },
        )
        self._reload_ok.set(1)
        RELOADED.emit(added=result.added, removed=result.removed, changed=result.changed)
        return result

    async def serve_sinks(self, config: Config) -> None:
        """Serve exactly the configured sinks, and in a cluster its shared log."""
        cluster = self._cluster
        await self._delivery.reconfigure(
            config.sinks if cluster is None else cluster.with_log(config.sinks)
        )

    async def run_accounts(self, config: Config, roster: Roster) -> dict[str, list[str]]:
        """Run exactly the configured accounts, or in a cluster our share of them.

        Gives the names by what became of them.
        """
        if self._cluster is None:
            return await roster.reconfigure(config.accounts)
        return await self._cluster.reconfigure(roster, config.accounts)

    def _refuse(self, message: str) -> ReloadResult:
        self._reload_ok.set(0)
        RELOAD_REFUSED.emit(message=message)
        return _refused(message)

    def _show_ready(self) -> None:
        self.metrics.cell("gateway_ready").set(self.readiness().ok)


def range_of(order: ReplayOrder) -> Range:
    """The stretch of the journal that an order names, by seq or by time of receipt."""
    bounds: dict[str, int] = {}
    for name, bound in (("from", order.start), ("to", order.end)):
        if isinstance(bound, int):
            bounds[f"{name}_seq"] = bound
        elif bound is not None:
            bounds[f"{name}_ns"] = _instant(bound)
    return Range(**bounds)


def _instant(text: Timestamp) -> int:
    try:
        return to_nanoseconds(text)
    except (ValueError, TypeError) as error:
        raise NotNow(
            f"{text!r} is neither a seq nor a time such as 2026-11-02T08:00:00Z"
        ) from error


class _Refusals:
    """Refusals of the parts below, in the words of the door."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, SinkUnknown | UnknownToCluster):
            raise NotFound(str(error)) from error
        if isinstance(error, SinkNotReady | BoardUnavailable):
            raise NotNow(str(error)) from error


def _refused(message: str) -> ReloadResult:
    return ReloadResult(ok=False, message=message)


def _needing_restart(old: Config, new: Config) -> list[str]:
    return [name for name in NEEDS_RESTART if getattr(old, name) != getattr(new, name)]


def _view(account: Account) -> AccountView:
    book = account.book
    return AccountView(
        account=account.name,
        stream=account.status(),
        balances=tuple(known.body for known in book.holdings.balances.values()),
        positions=tuple(
            HeldPosition(symbol=known.symbol, venue_symbol=key or None, position=known.body)
            for key, known in book.holdings.positions.items()
            if not is_zero(known.body.quantity)
        ),
        open_orders=tuple(
            OpenOrder(symbol=known.symbol, venue_symbol=known.venue_symbol, order=known.order)
            for known in book.orders.known.values()
            if not known.order.final
        ),
    )
