"""How an account is doing, for people and for Prometheus.

`AccountStatus` is the model behind `gateway status`; `AccountCells` are the
numbers that the account's own tasks add to.
"""

from enum import StrEnum
from typing import Final

import msgspec

from gateway.events.model import StreamReason
from gateway.events.times import Timestamp
from gateway.telemetry.metrics import Cell, Metrics


class AccountState(StrEnum):
    """What the account is doing now."""

    CONNECTING = "connecting"
    LIVE = "live"
    RECOVERING = "recovering"
    """Live, and reading REST for what was missed."""
    BACKING_OFF = "backing_off"
    SUSPENDED = "suspended"
    STOPPED = "stopped"


class GapCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Gaps of this run."""

    open: int
    total: int
    unrecovered: int
    """Closed with something that may be missing."""


class AccountStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One account in `status --json`."""

    venue: str
    state: AccountState
    since: Timestamp
    """When that state began."""
    last_frame: Timestamp | None
    last_event: Timestamp | None
    last_proof_of_life: Timestamp | None
    """The socket level: a frame or an answered heartbeat."""
    last_agreement: Timestamp | None
    """The subscription level: the last periodic REST check that agreed with us."""
    connections: int
    """Live now."""
    key_expires: Timestamp | None
    gaps: GapCounts
    reconnects: int
    events: int
    detail: str | None
    """The last trouble, in words; None while there is none."""


_STATES: Final = tuple(AccountState)


class AccountCells:
    """The account's numbers; each cell is looked up once."""

    def __init__(self, metrics: Metrics, account: str) -> None:
        self._metrics = metrics
        self._account = account
        self.frames = metrics.cell("gateway_frames_received", account)
        self.stale = metrics.cell("gateway_events_stale", account)
        self.duplicates = metrics.cell("gateway_events_duplicate", account)
        self.up = metrics.cell("gateway_account_up", account)
        self._state = metrics.state("gateway_account_state", _STATES, account)
        self.gap_open = metrics.cell("gateway_gap_open", account)
        self.gap_seconds = metrics.cell("gateway_gap_seconds", account)
        self.last_frame = metrics.cell("gateway_last_frame_timestamp_seconds", account)
        self.last_life = metrics.cell("gateway_last_proof_of_life_timestamp_seconds", account)
        self.key_expires = metrics.cell("gateway_key_expires_timestamp_seconds", account)
        self.clock_offset = metrics.cell("gateway_clock_offset_seconds", account)
        self.append_wait = metrics.cell("gateway_append_wait_seconds", account)

    def reconnected(self, reason: StreamReason) -> None:
        """A stream was lost for this reason and is opened again."""
        self._metrics.cell("gateway_reconnects", self._account, reason).inc()

    def unrecognized(self, reason: str) -> Cell:
        """Frames not understood, by reason."""
        return self._metrics.cell("gateway_frames_unrecognized", self._account, reason)

    def gap_closed(self, *, complete: bool) -> None:
        """A gap ended."""
        self._metrics.cell("gateway_gaps", self._account, str(complete).lower()).inc()

    def key_renewed(self, result: str) -> None:
        """A stream key was refreshed or replaced."""
        self._metrics.cell("gateway_key_renewals", self._account, result).inc()

    def show_state(self, state: AccountState) -> None:
        """Set the gauges of the state."""
        self._state.set(state)
        self.up.set(state in (AccountState.LIVE, AccountState.RECOVERING))
