"""A session: one connected attempt of an account, from dialling to its end.

The adapter's `run_stream` does the talking; here stands what surrounds it: the
outlet that carries reports to the account, the time limit until it is live, and
the bookkeeping of coming up and going down.
"""

from collections.abc import Callable, Sequence
from typing import Final

import trio

from gateway.accounts import happenings
from gateway.accounts.account import Account, PatientGate
from gateway.accounts.news import Heard
from gateway.contracts.told import Told
from gateway.errors import ConnectFailed, GatewayError
from gateway.events.model import Origin, StreamReason, StreamStatus
from gateway.events.times import from_nanoseconds
from gateway.wire.onefailure import single_failure

LIVE_WITHIN_SECONDS: Final = 60.0
"""From dialling to proven alive: several REST calls and a handshake, each with a
shorter limit of its own."""


class SessionOutlet:
    """Where one stream of one account puts what it hears."""

    def __init__(self, account: Account, retire: Callable[[StreamReason, str], None]) -> None:
        self._account = account
        self._retire = retire

    async def hear(self, told: Sequence[Told], received_ns: int) -> None:
        """See `gateway.contracts.adapter.Outlet`."""
        heard = Heard(origin=Origin.PUSH, received_ns=received_ns)
        if self._account.standby is not None:
            self._account.standby.hold(told, heard)
            await trio.lowlevel.checkpoint()
        else:
            await self._account.hear(told, heard)

    def frames_read(self, count: int, received_ns: int) -> None:
        """See `gateway.contracts.adapter.Outlet`."""
        self._account.frames_read(count, received_ns)

    def alive(self) -> None:
        """See `gateway.contracts.adapter.Outlet`."""
        self._account.coverage.prove(self._account.clock.now_ns())

    def retire(self, reason: StreamReason, detail: str) -> None:
        """See `gateway.contracts.adapter.Outlet`."""
        self._retire(reason, detail)

    async def key_renewed(self, *, replaced: bool, expires_ns: int | None, detail: str) -> None:
        """See `gateway.contracts.adapter.Outlet`."""
        reason = StreamReason.REPLACED if replaced else StreamReason.REFRESHED
        account = self._account
        happenings.KEY_RENEWED.emit(
            account=account.name,
            result=reason,
            expires=None if expires_ns is None else from_nanoseconds(expires_ns),
        )
        account.cells.key_renewed(reason)
        if account.standby is None:
            account.coverage.say(
                StreamStatus.KEY_RENEWED, reason, until_ns=expires_ns, detail=detail or None
            )
        await trio.lowlevel.checkpoint()


async def run_session(
    account: Account,
    *,
    retire: Callable[[StreamReason, str], None],
    came_up: Callable[[], None],
) -> None:
    """Run one session to its end, which is always an exception.

    Error handling: raises what ended the stream, a `StreamError` or a defect; never
    an exception group, since one failure ends a session as a whole.
    """
    group: BaseExceptionGroup[BaseException] | None = None
    limit = trio.move_on_after(LIVE_WITHIN_SECONDS)
    try:
        with limit:
            account.gate.limits |= {limit}
            try:
                start = _Start(limit, account.gate, came_up)
                outlet = SessionOutlet(account, retire)
                await account.adapter.run_stream(outlet, task_status=start)
            finally:
                account.gate.limits -= {limit}
    except BaseExceptionGroup as failures:  # of an adapter with a plain nursery
        group = failures
    if limit.cancelled_caught:
        raise ConnectFailed("start", f"not live within {LIVE_WITHIN_SECONDS:.0f} s")
    if group is not None:
        raise single_failure(group)
    raise GatewayError("the adapter ended its stream without saying why")


class _Start:
    """Hears of a stream that it is live; from then on no time limit holds for it.

    So a stream runs in its connection's own task, and no `nursery.start` is needed: a
    second task and its nursery cost each account 4 KiB.
    """

    __slots__ = ("_came_up", "_gate", "_limit")

    def __init__(
        self, limit: trio.CancelScope, gate: PatientGate, came_up: Callable[[], None]
    ) -> None:
        self._limit = limit
        self._gate = gate
        self._came_up = came_up

    def started(self, _value: None = None) -> None:
        """See `trio.TaskStatus`. One that comes up too late is cancelled all the same."""
        if not self._limit.cancel_called:
            self._gate.limits -= {self._limit}
            self._limit.deadline = float("inf")
            self._came_up()
