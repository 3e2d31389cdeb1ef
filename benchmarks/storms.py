"""What becomes of very many accounts at once, in virtual time, by the product's own parts.

One gateway is played, since the gate and the slots are each gateway's own: placement has
said how many accounts fall to it. Of the product are the placement, the connection gate,
the slots for takeovers and the supervisor's policy; the venue and the engine only take
their time to answer.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from trio.testing import MockClock

from gateway.accounts.policy import Policy
from gateway.cluster.keeper import AT_ONCE, LOOK_SECONDS
from gateway.cluster.notes import LEASE_SECONDS
from gateway.errors import ConnectFailed, ConnectionLost
from gateway.wire.limits import HostGate

CONNECT_RATE: Final = 10.0
"""New connections per second, host and gateway: the default of `connect_rate`."""

ASK_SECONDS: Final = 0.002
"""The engine's answer to one question, over the network of a data centre."""

ASKS_TO_TAKE: Final = 8
"""Own, the log's end, fence, book, tail, proofs of life, the log's end again, copy."""

OUTAGE_SECONDS: Final = 60.0
"""How long a venue refuses everybody in a reconnect storm."""

SUBSCRIBE_SECONDS: Final = 0.3
"""From a connection's turn until it is live."""


def reconnected(accounts: int) -> float:
    """Seconds from a venue's return until the last of so many accounts is live again."""
    return _run(_reconnect, accounts) - OUTAGE_SECONDS


def failed_over(accounts: int) -> float:
    """Seconds from a gateway's death until a survivor is live for so many of its accounts."""
    return LEASE_SECONDS + LOOK_SECONDS + _run(_fail_over, accounts)


def started(accounts: int) -> float:
    """Seconds until so many accounts are live that all begin at once."""
    return _run(_start, accounts)


async def _reconnect(venue: "_Venue") -> None:
    """All sockets are cut, and nobody is let in for a while."""
    venue.opens_at = trio.current_time() + OUTAGE_SECONDS
    policy, error, lived = Policy(), ConnectionLost("cut"), 3600.0
    while True:
        await trio.sleep(policy.after(error, lived_seconds=lived).delay_seconds)
        if await venue.connect():
            return
        error, lived = ConnectFailed("tcp", "refused"), 0.0


async def _fail_over(venue: "_Venue") -> None:
    """The board is asked and the log fenced, so many accounts at a time; then each connects."""
    async with venue.slots:
        await trio.sleep(ASKS_TO_TAKE * ASK_SECONDS)
    await venue.connect()


async def _start(venue: "_Venue") -> None:
    await venue.connect()


class _Venue:
    """One host, behind the gate of one gateway."""

    def __init__(self) -> None:
        self.slots = trio.CapacityLimiter(AT_ONCE)
        self.opens_at = float("-inf")
        self._gate = HostGate()

    async def connect(self) -> bool:
        """Wait for a turn; whether the venue lets us in."""
        await self._gate.wait_turn("venue", CONNECT_RATE)
        if trio.current_time() < self.opens_at:
            return False
        await trio.sleep(SUBSCRIBE_SECONDS)
        return True


def _run(account: Callable[[_Venue], Awaitable[None]], accounts: int) -> float:
    random.seed(accounts)  # the jitter of the back-off

    async def all_of_them() -> float:
        venue, begun = _Venue(), trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(accounts):
                nursery.start_soon(account, venue)
        return trio.current_time() - begun

    return trio.run(all_of_them, clock=MockClock(autojump_threshold=0))
