"""A roster with a journal in memory, in virtual time."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from gateway.accounts import Roster, open_roster
from gateway.contracts.adapter import ConfiguredAccount
from gateway.events.model import Event, Stream
from gateway.telemetry.metrics import Metrics
from gateway.wire.limits import HostGate
from tests.doubles.clocks import TrioWallClock
from tests.doubles.journal import MemoryJournal


class Household:
    """What a test of accounts looks at."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.clock = TrioWallClock()
        self.metrics = Metrics()

    @asynccontextmanager
    async def running(self, *accounts: ConfiguredAccount, **options: Any) -> AsyncIterator[Roster]:
        """Run these accounts until the block ends; may be entered again, as after a restart."""
        opening: AbstractAsyncContextManager[Roster] = open_roster(
            journal=self.journal,  # type: ignore[arg-type] # the double has the same methods
            clock=self.clock,
            metrics=self.metrics,
            connect_gate=HostGate(),
            **options,
        )
        async with opening as roster:
            await roster.reconfigure({each.name: each for each in accounts})
            yield roster

    def said(self, account: str = "a") -> list[str]:
        """Status and reason of the account's stream events, in order."""
        return [f"{body.status} {body.reason}" for body in self.streams(account)]

    def streams(self, account: str = "a") -> list[Stream]:
        """The account's stream events."""
        return [e.body for e in self.events(account) if isinstance(e.body, Stream)]

    def events(self, account: str = "a") -> list[Event]:
        """Everything journalled for the account."""
        return [event for event in self.journal.events if event.account == account]

    def kinds(self, account: str = "a") -> list[str]:
        """Kind and origin, or status of stream events, in order."""
        return [
            event.body.status if isinstance(event.body, Stream) else f"{event.kind} {event.origin}"
            for event in self.events(account)
        ]


@pytest.fixture
async def household() -> Household:
    """An empty house. Ask for `autojump_clock` too: pytest-trio looks for it in the test itself."""
    return Household()
