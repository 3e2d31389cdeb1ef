"""A made-up venue whose adapter does what a test says. No sockets, no threads."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec
import trio
import trio.testing

from gateway.contracts.adapter import (
    AccountOptions,
    AdapterContext,
    ConfiguredAccount,
    Finds,
    Known,
    Outlet,
    ProbeFinding,
    Purpose,
    RecoveryPlan,
    RecoveryResult,
    VenueSpec,
)
from gateway.contracts.told import KnownOrder, Reconciled, Told, ToldOrder
from gateway.contracts.values import Secret
from gateway.errors import StreamError
from tests.doubles import reports


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The made-up venue's own options."""

    secret: Secret = Secret.of("made-up-secret")


class ScriptedSession:
    """One running stream of the venue."""

    def __init__(self, venue: "ScriptedVenue", outlet: Outlet) -> None:
        self._venue = venue
        self._ends = trio.Event()
        self._error: Exception | None = None
        self.outlet = outlet
        self.ended = False

    async def push(self, *told: Told) -> None:
        """Let the account hear reports."""
        now_ns = self._venue.context.clock.now_ns()
        self.outlet.frames_read(1, now_ns)
        await self.outlet.hear(told, now_ns)

    def fail(self, error: Exception) -> None:
        """End the stream."""
        self._error = error
        self._ends.set()

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Be live until failed or cancelled."""
        try:
            task_status.started()
            await self._ends.wait()
            assert self._error is not None
            raise self._error
        finally:
            self.ended = True


class ScriptedVenue:
    """The adapter of one account, and what a test may set about it."""

    def __init__(self) -> None:
        self.context: AdapterContext
        self.refusals: deque[Exception] = deque()
        """Raised by the next attempts, one each."""
        self.silent = False
        """True: attempts never become live."""
        self.attempts: list[float] = []
        """Trio's time of each attempt."""
        self.sessions: list[ScriptedSession] = []
        self.told_by_rest: list[Told] = []
        self.rest_error: StreamError | None = None
        self.rest_hangs = False
        self.complete = True
        self.plans: list[RecoveryPlan] = []
        self.renewals = 0
        self.check_every: float | None = None
        self.closed = False
        self._session_began = trio.Event()

    def open(self, _settings: Any, context: AdapterContext) -> "ScriptedVenue":
        """Called by the house, as `VenueSpec.open`."""
        self.context = context
        return self

    @property
    def live(self) -> list[ScriptedSession]:
        """Sessions that run now."""
        return [session for session in self.sessions if not session.ended]

    async def wait_live(self, number: int) -> ScriptedSession:
        """The `number`th session, counted from 1, once it runs."""
        while len(self.sessions) < number:
            await self._session_began.wait()
        await trio.testing.wait_all_tasks_blocked()
        return self.sessions[number - 1]

    # --- the contract ----------------------------------------------------------

    async def run_stream(
        self, outlet: Outlet, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        self.attempts.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self.silent:
            await trio.sleep_forever()
        if self.refusals:
            raise self.refusals.popleft()
        session = ScriptedSession(self, outlet)
        self.sessions.append(session)
        self._session_began.set()
        self._session_began = trio.Event()
        await session.run(task_status)

    def plan_recovery(self, known: Known, purpose: Purpose, since_ns: int | None) -> RecoveryPlan:
        return RecoveryPlan(
            purpose=purpose,
            since_ns=since_ns,
            order_ids=tuple(known.open_orders),
            venue_symbols=known.venue_symbols,
            known=known,
        )

    async def recover(self, plan: RecoveryPlan, finds: Finds) -> RecoveryResult:
        self.plans.append(plan)
        sent_ns = self.context.clock.now_ns()
        await trio.sleep(0.05)
        if self.rest_hangs:
            await trio.sleep_forever()
        if self.rest_error is not None:
            raise self.rest_error
        await finds.hear(self.told_by_rest, self.context.clock.now_ns(), sent_ns)
        return RecoveryResult(complete=self.complete, detail="" if self.complete else "not all")

    def reconcile(self, known: KnownOrder | None, told: ToldOrder) -> Reconciled:
        return reports.reconcile(known, told)

    async def renew(self) -> None:
        self.renewals += 1
        await trio.lowlevel.checkpoint()

    async def probe(self) -> Sequence[ProbeFinding]:
        await trio.lowlevel.checkpoint()
        return []

    def check_seconds(self) -> float | None:
        return self.check_every

    def clock_offset_seconds(self) -> float | None:
        return None

    def key_expires_ns(self) -> int | None:
        return None

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


def configured(venue: ScriptedVenue, name: str = "a", **options: Any) -> ConfiguredAccount:
    """An account of the made-up venue."""
    return ConfiguredAccount(
        name=name,
        spec=VenueSpec(
            name="v",
            title="Made up",
            summary="for tests",
            streams=("orders",),
            settings=Settings,
            open=venue.open,
        ),
        options=AccountOptions(venue="v", **options),
        settings=Settings(),
    )
