"""What can be set about the journal, and the limits that it keeps by itself."""

from typing import Final, Literal

import msgspec

from gateway.contracts.values import Bytes, Seconds

_DAY_SECONDS: Final = 86_400
_MIB: Final = 1 << 20

Durability = Literal["fsync", "os"]


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept. What an enabled sink still waits for is kept up to `size`."""

    age: Seconds = Seconds(14 * _DAY_SECONDS)
    """Events received longer ago are deleted."""
    size: Bytes = Bytes(10 << 30)
    """The oldest events are deleted when events take more; nothing else in the journal counts."""


class JournalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The `journal:` section of `gateway.yaml`."""

    retain: Retention = Retention()
    """How long and how much is kept."""
    durability: Durability = "fsync"
    """``fsync``: an event reaches a sink only once it would survive a loss of power.
    ``os``: once it would survive a crash of the gateway."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes that operators need not choose; tests make them small."""

    queue_events: int = 20_000
    """Events that may wait for the writer before `append` waits."""
    queue_bytes: int = 64 * _MIB
    group_events: int = 2_000
    """One commit takes no more, so that the first in it does not wait for too many."""
    group_bytes: int = 2 * _MIB
    hurried_events: int = 256
    """Nor does it take more than this where a sink waits to be moved on."""
    segment_ids: int = 65_536
    """Ids held in memory before they are sealed (see `ids`)."""
    recent_events: int = 10_000
    """Records kept in memory for readers that keep up."""
    recent_bytes: int = 16 * _MIB
    read_bytes: int = 4 * _MIB
    """One read from disk gives no more, however many records were asked for."""
    reserve_bytes: int = 4 * _MIB
    """Disk blocks kept for the last words when the disk is full: two groups' worth."""
    retry_seconds: float = 1.0
    """How often a full disk is tried again."""
    retention_seconds: float = 1.0
    """How often it is looked whether something can be deleted."""
    close_seconds: float = 10.0
    """How long closing waits for a disk that does not answer."""


DEFAULT_LIMITS: Final = Limits()
