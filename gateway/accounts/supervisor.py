"""The supervisor of one account: keeps its connections, and reads what they missed.

A *connection* here is a slot that is to be filled: one loop per slot opens a
session, and when that ends asks the policy what to do. Replacing a connection
starts a second loop, and ends the first when the second is live: make before
break. No flags, no stored task handles: a loop lives in a cancel scope that its
successor knows.
"""

from itertools import count
from typing import Final

import msgspec
import trio

from gateway.accounts import happenings
from gateway.accounts.account import Account
from gateway.accounts.policy import Next, Policy, Remedy, reason_of
from gateway.accounts.recovery import Recovery
from gateway.accounts.session import run_session
from gateway.accounts.status import AccountState
from gateway.contracts.values import fingerprints
from gateway.errors import LoginRefused, StreamError
from gateway.events.model import StreamReason, StreamStatus
from gateway.wire.keepalive import every

CREDENTIALS_LOOKED_AT_SECONDS: Final = 5.0
"""How often a suspended account looks whether its secret files were changed."""

OVERLAP_SECONDS: Final = 2.0
"""How long a replaced connection is still read: a push that was sent before the
successor subscribed may be on its way. What both tell is told once."""

SUCCESSOR_WITHIN_SECONDS: Final = 120.0
"""How long a connection waits for its successor before a new one is asked for."""


class Ending(msgspec.Struct, frozen=True):
    """Why an account's task ends; whoever cancels it says so before."""

    reason: StreamReason = StreamReason.STOPPED
    detail: str = "the gateway stops"
    says_stopped: bool = True
    """Write `stopped` too: the account will not come back by itself."""


class Supervisor:
    """Runs one account until cancelled."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.recovery = Recovery(account)
        self.ending = Ending()
        self._numbers = count(1)
        self._lines: dict[int, trio.CancelScope] = {}
        """Running connection loops by their number."""
        self._retiring: frozenset[int] = frozenset()
        self._troubles: dict[int, str] = {}
        """What each connection that is not live was last said to fail of."""
        self._nudge: trio.Event | None = None
        """Ends every waiting, where there is any."""
        self._nursery: trio.Nursery | None = None
        account.on_doubt = self.replace_all

    async def run(self) -> None:
        """Keep the account until cancelled, then say in the journal why it ended."""
        account = self._account
        happenings.STARTED.emit(account=account.name, venue=account.configured.spec.name)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for _ in range(account.configured.options.connections):
                    self._start_line(replaces=None)
                await self.recovery.run()
        finally:
            self._nursery = None
            self._say_goodbye()
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 2):
                await account.adapter.aclose()

    def reconnect(self) -> None:
        """Replace every connection, make before break (`gateway account reconnect`)."""
        self.nudge()
        self.replace_all(StreamReason.REQUESTED)

    def nudge(self) -> None:
        """End every waiting: a person acted, so a suspended account tries again at once."""
        if self._nudge is not None:
            self._nudge.set()
            self._nudge = None

    def nudge_if_suspended(self) -> None:
        """A reload is a person's act for a suspended account, and nothing to the others."""
        if self._account.is_suspended:
            self.nudge()

    def replace_all(self, reason: StreamReason) -> None:
        """Open a successor for each connection."""
        for number in list(self._lines):
            self._retire(number, reason, "replaced")

    # --- connections -------------------------------------------------------------

    def _start_line(self, replaces: int | None) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(self._run_line, next(self._numbers), replaces)

    def _retire(self, number: int, reason: StreamReason, detail: str) -> None:
        """Start a successor, once; this connection goes on until that is live."""
        if number in self._retiring or number not in self._lines:
            return
        self._retiring |= {number}
        happenings.REPLACING.emit(
            account=self._account.name, connection=number, reason=reason, detail=detail
        )
        self._start_line(replaces=number)

    def _succeed(self, replaced: int) -> None:
        """The successor is live: the old connection may go, once it has told what is under way."""
        scope = self._lines.get(replaced)
        if scope is not None:
            scope.deadline = trio.current_time() + OVERLAP_SECONDS

    async def _run_line(self, number: int, replaces: int | None) -> None:
        scope = trio.CancelScope()
        self._lines[number] = scope
        policy = Policy()
        try:
            with scope:
                while True:
                    await self._one_session(number, replaces, policy)
        finally:
            del self._lines[number]
            self._retiring -= {number}
            self._troubles.pop(number, None)

    async def _one_session(self, number: int, replaces: int | None, policy: Policy) -> None:
        account = self._account
        live_at: float | None = None

        def came_up() -> None:
            nonlocal live_at
            live_at = trio.current_time()
            self._troubles.pop(number, None)
            account.came_up(number)
            if replaces is not None:
                self._succeed(replaces)

        try:
            await run_session(
                account,
                retire=lambda reason, detail: self._retire(number, reason, detail),
                came_up=came_up,
            )
        except Exception as error:  # noqa: BLE001 # one account's defect must not end the others
            lived = 0.0 if live_at is None else trio.current_time() - live_at
            await self._after(error, number, policy.after(error, lived_seconds=lived))
        except BaseException:
            # Cancelled: alone, or as the group that a stream's nursery makes of it.
            account.went_down(number, self.ending.reason, self.ending.detail)
            raise

    async def _after(self, error: Exception, number: int, then: Next) -> None:
        account = self._account
        reason = reason_of(error)
        is_news = self._troubles.get(number) != str(error)
        self._troubles[number] = str(error)
        _report(account, number, error, then, is_news=is_news)
        account.went_down(number, reason, str(error))
        account.show_state(then.state)
        if number in self._retiring:
            # Its successor is on the way and takes over the slot.
            await trio.sleep(SUCCESSOR_WITHIN_SECONDS)
        if then.remedy is Remedy.RENEW:
            await self._renew()
        if then.remedy is Remedy.SUSPEND:
            await self._wait_suspended(error, then.delay_seconds)
        else:
            with trio.move_on_after(then.delay_seconds):
                await self._wait_nudge()
        account.reconnects += 1
        account.cells.reconnected(reason)
        account.show_state(AccountState.CONNECTING)
        if is_news:
            happenings.RECONNECTING.emit(account=account.name, connection=number)

    async def _renew(self) -> None:
        try:
            await self._account.adapter.renew()
        except StreamError as error:
            # The next session meets the same trouble, and the policy with it.
            self._account.detail = str(error)

    async def _wait_suspended(self, error: Exception, seconds: float) -> None:
        account = self._account
        if not account.coverage.live_connections:
            account.suspend(str(error))
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch_secrets, nursery.cancel_scope)
                await self._wait_nudge()
                nursery.cancel_scope.cancel()

    async def _wait_nudge(self) -> None:
        if self._nudge is None:
            self._nudge = trio.Event()
        await self._nudge.wait()

    async def _watch_secrets(self, scope: trio.CancelScope) -> None:
        """A rotated key file is a person's act: try at once."""
        before = fingerprints(self._account.configured.settings)
        async for _ in every(CREDENTIALS_LOOKED_AT_SECONDS):
            if fingerprints(self._account.configured.settings) != before:
                scope.cancel()

    def _say_goodbye(self) -> None:
        account, ends_with = self._account, self.ending
        if account.standby is not None:
            return
        account.coverage.open_gap(ends_with.reason, ends_with.detail)
        if ends_with.says_stopped:
            account.coverage.say(StreamStatus.STOPPED, ends_with.reason, detail=ends_with.detail)
        account.show_state(AccountState.STOPPED)
        happenings.STOPPED.emit(account=account.name, reason=ends_with.reason)


def _report(account: Account, number: int, error: Exception, then: Next, *, is_news: bool) -> None:
    fields = {
        "account": account.name,
        "connection": number,
        "reason": reason_of(error).value,
        "error": str(error),
        "next": then.remedy.value,
        "delay_seconds": round(then.delay_seconds, 3),
    }
    if isinstance(error, LoginRefused):
        happenings.SUSPENDED.emit(**fields)
    elif isinstance(error, StreamError):
        (happenings.LOST if is_news else happenings.STILL_DOWN).emit(**fields)
    else:
        happenings.CRASHED.emit(**fields, exc_info=error)
