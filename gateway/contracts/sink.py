"""What a sink is to the house.

A sink takes batches and answers for each event: accepted, later, or refused for
good. It keeps no queue, retries nothing by itself and knows no cursor: that is
the worker's. One task calls `deliver`, never twice at the same time.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol

import msgspec

from gateway.clock import Clock
from gateway.contracts.values import Seconds
from gateway.events.codec import decode, render_cloudevent, render_native
from gateway.events.model import Event, Kind
from gateway.telemetry.redaction import Redactor


class Batching(msgspec.Struct, frozen=True, kw_only=True):
    """How events are gathered for one delivery."""

    events: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 500
    """At most so many."""
    wait: Seconds = Seconds(0)
    """How long to wait for more once there is one."""


class Retrying(msgspec.Struct, frozen=True, kw_only=True):
    """How a sink that cannot take events now is tried again: full jitter, doubling."""

    initial: Annotated[Seconds, msgspec.Meta(gt=0)] = Seconds(0.25)
    """The first wait is at most this."""
    max: Annotated[Seconds, msgspec.Meta(gt=0)] = Seconds(30)
    """No wait is longer than this, unless the peer asks for it."""


class SinkOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of every sink, whatever its type."""

    type: str
    """Name of an installed sink type (`gateway list sinks`)."""
    enabled: bool = True
    """False stops deliveries; a disabled sink holds back no retention."""
    accounts: tuple[str, ...] | None = None
    """Only events of these accounts."""
    kinds: tuple[Kind, ...] | None = None
    """Only events of these kinds; `stream` events pass all the same."""
    symbols: tuple[str, ...] | None = None
    """Only these symbols, in either spelling; events without a symbol pass."""
    stream_events: bool = True
    """False leaves out `stream` events: the consumer then learns of no gap."""
    format: Literal["native", "cloudevents"] = "native"
    """How an event is written: our own JSON, or CloudEvents 1.0 around it."""
    include_raw: bool = False
    """Add the venue's own text as `raw`."""
    start: Literal["earliest", "latest"] = "latest"
    """Where a sink that the journal has not met begins."""
    batch: Batching = Batching()
    """How many events go into one delivery."""
    timeout: Annotated[Seconds, msgspec.Meta(gt=0)] = Seconds(15)
    """How long one delivery may take."""
    retry: Retrying = Retrying()
    """How long to wait before a sink that failed is tried again."""
    overflow: Literal["drop_oldest", "block"] = "drop_oldest"
    """What happens when the journal is full of events this sink has not taken."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One event at its place in the journal, as bytes that need no re-encoding."""

    seq: int
    id: str
    kind: Kind
    account: str
    symbol: str | None
    venue_symbol: str | None
    received_ns: int
    tail: bytes
    """See `gateway.events.codec`."""
    raw: bytes | None

    def native(self, *, include_raw: bool) -> bytes:
        """The event as one line of JSON, without a newline."""
        return render_native(self.id, self.seq, self.tail, self.raw, include_raw=include_raw)

    def event(self) -> Event:
        """The typed event, decoded anew; for sinks that need fields."""
        return decode(self.native(include_raw=True))[1]

    def cloudevent(self, *, include_raw: bool) -> bytes:
        """The event as CloudEvents 1.0 structured JSON."""
        return render_cloudevent(self.event(), self.seq, self.native(include_raw=include_raw))


class Item(msgspec.Struct, frozen=True, gc=False):
    """One event of a batch: the record, and its text in the sink's `format`."""

    record: Record
    body: bytes


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The sink has it, as safely as this type of sink promises."""


class Later(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Not now; the worker tries again.

    Events behind it in the batch count as accepted only where their own verdict says so.
    """

    reason: str
    retry_after_seconds: float | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Never: the event goes to the dead letters."""

    reason: str
    """A short word or status, for the metric: ``400`` ``constraint`` ``too_large``."""
    excerpt: str = ""
    """The peer's answer, cut; for a person."""


class Untried(msgspec.Struct, frozen=True, gc=False):
    """The sink did not come to it within the time it has; the worker hands it over again.

    No trouble and no wait, so a sink that says this must have settled an event before it.
    """


Verdict = Accepted | Later | Refused | Untried

ACCEPTED: Final = Accepted()
UNTRIED: Final = Untried()


class Sink(Protocol):
    """One open sink."""

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Take a batch in order of `seq` and answer for each event, in the same order.

        Raising `SinkUnavailable` means `Later` for all of them; any other error
        does too, and is logged with its traceback. The caller bounds the time by
        cancellation; a cancelled delivery counts as `Later` and is sent again.
        """


class SinkContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the house hands to a sink."""

    name: str
    state_dir: Path
    options: SinkOptions
    clock: Clock
    redactor: Redactor
    settled_seq: int = 0
    """What the sink is opened behind: of later events some may have reached the peer before a
    crash; what comes of earlier ones is sent again on purpose."""


class SinkSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What the entry point in group ``gateway.sinks`` names."""

    name: str
    """As in `type:`; lower case."""
    summary: str
    settings: type[msgspec.Struct]
    """The type's own options: a frozen struct with a docstring under each field."""
    open: Callable[[Any, SinkContext], AbstractAsyncContextManager[Sink]]
    """Open the sink. Must not wait for a peer that is down: `deliver` says so instead."""
    probe: Callable[[Any, SinkContext], Any] | None = None
    """Async: `gateway check --connect`, sending no events; gives `ProbeFinding`s."""
    writes_to: Callable[[Any], str] | None = None
    """The file or folder that the sink keeps, relative to `state_dir`; no two may share one."""
    extra: str | None = None
    """The extra that brings the client library."""
    guarantees: str = ""
    """Duplicates, order and loss, in a few sentences for `gateway explain`."""
    quick_start: str = ""
    """A minimal sink in YAML."""


class ConfiguredSink(msgspec.Struct, frozen=True, kw_only=True):
    """One sink of `gateway.yaml`, read and checked."""

    name: str
    spec: SinkSpec
    options: SinkOptions
    settings: msgspec.Struct
    """An instance of `spec.settings`."""
