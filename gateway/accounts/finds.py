"""Where a recovery puts what REST told: into the account, or beside it to compare.

Both fulfil `gateway.contracts.adapter.Finds`.
"""

from collections.abc import Sequence

import trio

from gateway.accounts.account import Account
from gateway.accounts.news import Heard
from gateway.contracts.told import Told
from gateway.events.model import Origin
from gateway.events.times import Timestamp
from gateway.journal import Ticket


class Reading:
    """Where a recovery puts what REST told; knows what of it was new."""

    def __init__(self, account: Account, origin: Origin, since_ns: int | None) -> None:
        self._account = account
        self._origin = origin
        self._since_ns = since_ns
        self._finds: list[tuple[list[Timestamp | None], Ticket]] = []
        self.uncertain: list[str] = []

    async def hear(self, told: Sequence[Told], received_ns: int, as_of_ns: int) -> None:
        """See `gateway.contracts.adapter.Finds`."""
        heard = Heard(
            origin=self._origin,
            received_ns=received_ns,
            as_of_ns=as_of_ns,
            now_ns=self._account.clock.now_ns(),
            since_ns=self._account.venue_ns(self._since_ns),
        )
        news, ticket = await self._account.hear(told, heard)
        self.uncertain += news.uncertain
        if news.events:
            self._finds.append(([event.venue_time for event in news.events], ticket))

    async def recovered(self) -> list[Timestamp | None]:
        """When each event happened that was newly journalled; waits until they are on disk."""
        times: list[Timestamp | None] = []
        for happened, ticket in self._finds:
            seqs = (await ticket.wait()).seqs
            times += [at for at, seq in zip(happened, seqs, strict=True) if seq is not None]
        return times


class Comparison:
    """Collects what would be news instead of recording it.

    Of the rest nothing is kept: what brings nothing new now brings nothing later either,
    and the orders of a busy account's day would take more memory than all its books.
    """

    def __init__(self, account: Account, since_ns: int) -> None:
        self._account = account
        self._since_ns = since_ns
        self.rows: list[tuple[Told, Heard]] = []

    async def hear(self, told: Sequence[Told], received_ns: int, as_of_ns: int) -> None:
        """See `gateway.contracts.adapter.Finds`."""
        heard = Heard(
            origin=Origin.RECOVERY,
            received_ns=received_ns,
            as_of_ns=as_of_ns,
            now_ns=self._account.clock.now_ns(),
            since_ns=self._account.venue_ns(self._since_ns),
        )
        news = self._account.book.would_be_news(told, heard)
        self.rows += [(each, heard) for each in news]
        await trio.lowlevel.checkpoint()
