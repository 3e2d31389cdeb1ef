"""What the HTTP side needs of the rest of the gateway, and nothing more.

`gateway.app` provides it; the tests have a double of it.
"""

from collections.abc import Sequence
from typing import Protocol

from gateway.admin.model import AccountView, Probe, ReloadResult, ReplayOrder, Status
from gateway.contracts.sink import Record
from gateway.errors import GatewayError
from gateway.journal.records import DeadLetter
from gateway.telemetry.metrics import Metrics


class NotFound(GatewayError):
    """There is no account, sink or dead letter of that name. Answered with 404."""


class NotNow(GatewayError):
    """It exists, but cannot do that in its present state. Answered with 409."""


class EventLog(Protocol):
    """The part of the journal that readers of events use."""

    @property
    def first_seq(self) -> int:
        """Oldest event kept; one more than `last_seq` when there is none."""

    @property
    def last_seq(self) -> int:
        """Newest event on disk."""

    @property
    def epoch(self) -> str:
        """Names this journal: another epoch, another numbering."""

    async def read(self, after_seq: int, limit: int) -> list[Record]:
        """Events that follow `after_seq`, oldest first."""

    async def wait_past(self, seq: int) -> None:
        """Return once `last_seq` is greater than `seq`."""


class House(Protocol):
    """The running gateway, as an operator at the door sees it.

    Orders raise `NotFound` for a name that is not configured and `NotNow` where
    the present state does not allow them, with a sentence that says what to do.
    """

    @property
    def journal(self) -> EventLog:
        """Where events are read."""

    @property
    def metrics(self) -> Metrics:
        """What `/metrics` shows."""

    def health(self) -> Probe:
        """Whether the loop and the journal writer answer probes."""

    def readiness(self) -> Probe:
        """Whether events are being journalled."""

    def status(self) -> Status:
        """Everything at a glance."""

    async def account(self, name: str) -> AccountView | None:
        """What an account holds; None when there is none of that name."""

    async def reload(self) -> ReloadResult:
        """Read the configuration anew and apply what changed."""

    async def reconnect(self, account: str) -> None:
        """Replace the account's connections, the new before the old."""

    async def recover(self, account: str) -> None:
        """Read by REST what may have been missed."""

    async def drain(self, gateway: str) -> None:
        """Have a gateway of the cluster own nothing, until `undrain`."""

    async def undrain(self, gateway: str) -> None:
        """Have it own its share again."""

    async def pin(self, account: str, gateway: str | None) -> None:
        """Have an account owned by that gateway while it is there; by any with None."""

    async def pause(self, sink: str) -> None:
        """Stop delivering to the sink; its cursor stays."""

    async def resume(self, sink: str) -> None:
        """Deliver again."""

    async def forget(self, sink: str) -> None:
        """Drop the cursor and dead letters of a sink that is paused or no longer configured."""

    async def replay(self, sink: str, order: ReplayOrder) -> int:
        """Send a range again; the number of events that it holds."""

    async def dead_letters(self, sink: str | None, after: int, limit: int) -> Sequence[DeadLetter]:
        """Dead letters with greater numbers, in order."""

    async def replay_dead_letters(self, sink: str | None, numbers: Sequence[int] | None) -> int:
        """Offer dead letters to their sinks again; how many were accepted."""

    async def drop_dead_letters(self, sink: str | None, numbers: Sequence[int] | None) -> int:
        """Give dead letters up; how many."""
