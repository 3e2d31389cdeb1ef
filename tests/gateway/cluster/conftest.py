"""Gateways of one cluster in one process, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from gateway.accounts import Roster, open_roster
from gateway.clock import Clock
from gateway.cluster.cluster import Cluster
from gateway.cluster.epochs import OwnedEpochs
from gateway.cluster.notes import OWNERS, Ownership
from gateway.cluster.notes import decode as decode_note
from gateway.cluster.settings import ClusterSettings
from gateway.delivery import open_delivery
from gateway.events.codec import decode
from gateway.events.model import Event, Fill, Stream, StreamStatus
from gateway.telemetry.metrics import Metrics
from gateway.wire.limits import HostGate
from tests.doubles.board import Shared
from tests.doubles.clocks import TrioWallClock
from tests.doubles.journal import MemoryJournal
from tests.doubles.venue import ScriptedVenue, configured

ACCOUNT = "a"


class Desk:
    """One gateway of the cluster, with the account `a` in its configuration."""

    def __init__(self, name: str, region: "Region") -> None:
        self.name = name
        self.venue = ScriptedVenue()
        self.journal = MemoryJournal()
        self.epochs = OwnedEpochs()
        self.clock: Clock = region.clock
        self.cluster: Cluster
        self.roster: Roster
        self._region = region
        self._scope = trio.CancelScope()
        self._stopping = trio.Event()
        self._ended = trio.Event()

    def start(self, nursery: trio.Nursery) -> None:
        """Run it until it is stopped or killed."""
        nursery.start_soon(self._run)

    async def stop(self) -> None:
        """An orderly stop."""
        self._stopping.set()
        await self._ended.wait()

    async def kill(self) -> None:
        """Have it end without a word to the others."""
        self.split()
        self._scope.cancel()
        await self._ended.wait()

    def split(self) -> None:
        """Cut it off from the engine; it goes on."""
        self._region.shared.cut.add(self.epochs)

    def heal(self) -> None:
        """Let it reach the engine again."""
        self._region.shared.cut.discard(self.epochs)

    @property
    def owns(self) -> bool:
        """Whether the board says so."""
        owners = self._region.owners()
        return owners.get(ACCOUNT) == self.name

    @property
    def listens(self) -> bool:
        """Whether it has a live connection."""
        return bool(self.venue.live)

    def streams(self) -> list[str]:
        """What its own sinks were told about the account's stream."""
        return [f"{one.status} {one.reason}" for one in self._stream_bodies()]

    def last_gap_closed(self) -> Stream:
        """The newest end of a gap that its own sinks were told."""
        closed = [one for one in self._stream_bodies() if one.status is StreamStatus.GAP_CLOSED]
        return closed[-1]

    def _stream_bodies(self) -> list[Stream]:
        bodies = [event.body for event in self.journal.events]
        return [one for one in bodies if isinstance(one, Stream)]

    async def wait_listening(self) -> None:
        """Until it has a live connection."""
        if not self.listens:
            await self.venue.wait_live(len(self.venue.sessions) + 1)

    async def _run(self) -> None:
        with self._scope:
            async with self._opened():
                await self._stopping.wait()
        self._ended.set()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        region, metrics, clock = self._region, Metrics(), self.clock
        accounts = {name: configured(self.venue, name) for name in region.accounts}
        async with open_delivery(
            self.journal,  # type: ignore[arg-type] # the double has the same methods
            clock=clock,
            metrics=metrics,
            state_dir=Path("unused"),
        ) as delivery:
            self.cluster = Cluster(
                self.name,
                region.settings,
                region.shared.engine(self.epochs),
                self.epochs,
                journal=self.journal,  # type: ignore[arg-type] # as above
                delivery=delivery,
                clock=clock,
                metrics=metrics,
            )
            await self.cluster.learn(accounts)
            await delivery.reconfigure(self.cluster.with_log({}))
            async with (
                open_roster(
                    journal=self.journal,  # type: ignore[arg-type] # as above
                    clock=clock,
                    metrics=metrics,
                    connect_gate=HostGate(),
                ) as self.roster,
                self.cluster.keeping(self.roster, None),
            ):
                await self.cluster.reconfigure(self.roster, accounts)
                yield


class Region:
    """What the gateways share, and what a consumer of the log sees."""

    def __init__(self) -> None:
        self.shared = Shared()
        self.accounts: tuple[str, ...] = (ACCOUNT,)
        """Of every gateway's configuration; most that is asked is about the first."""
        self.clock = TrioWallClock()
        self.settings = ClusterSettings(engine="nats", url="nats://unused:1")

    def desk(self, name: str) -> Desk:
        """One more gateway."""
        return Desk(name, self)

    def owners(self) -> dict[str, str]:
        """By account, whoever is alive."""
        return {
            key.removeprefix(f"{OWNERS}."): decode_note(note.value, Ownership).owner
            for key, note in self.shared.notes.items()
            if key.startswith(OWNERS)
        }

    def told(self, *, late: bool = False) -> list[Event]:
        """The events of the log, in order; or those that came late."""
        messages = self.shared.messages[ACCOUNT]
        return [decode(one.body)[1] for one in messages if one.late is late]

    def streams(self) -> list[str]:
        """What the log says about the account's stream."""
        bodies = [event.body for event in self.told()]
        return [f"{one.status} {one.reason}" for one in bodies if isinstance(one, Stream)]

    def fills(self) -> list[str]:
        """The quantities that the log says were filled."""
        bodies = [event.body for event in self.told()]
        return [one.quantity for one in bodies if isinstance(one, Fill)]


@pytest.fixture
async def region() -> Region:
    """No gateway yet. Ask for `autojump_clock` too: pytest-trio looks for it in the test."""
    return Region()
