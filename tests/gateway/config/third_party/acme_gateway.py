"""A third party's venue and sink, with an option of every kind that settings may have."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from gateway.contracts.adapter import VenueSpec
from gateway.contracts.sink import SinkSpec
from gateway.contracts.values import Bytes, Seconds, Secret
from gateway.events.numbers import PlainDecimal


class Speed(StrEnum):
    """How fast."""

    SLOW = "slow"
    FAST = "fast"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """A key pair."""

    api_key: Secret
    """The key."""
    secret: Secret
    """Its secret."""
    signature: Literal["hmac", "rsa"] = "hmac"
    """How requests are signed."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The stream key."""

    life: Seconds = Seconds(3600)
    """How long it lives."""
    refresh: Seconds = Seconds(1800)
    """When it is refreshed."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """A key must be refreshed before it dies."""
        if self.refresh >= self.life:
            yield "refresh", "must be shorter than life"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of an Acme account."""

    credentials: Credentials
    """The key pair."""
    pairs: Literal["all"] | tuple[str, ...] = "all"
    """Pairs to follow."""
    key: Key = Key()
    """The stream key."""
    depth: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10
    """How deep."""
    lot: PlainDecimal | None = None
    """Smallest quantity."""
    weight: Annotated[float, msgspec.Meta(lt=1)] = 0.5
    """How heavy."""
    speed: Speed = Speed.SLOW
    """How fast."""
    names: dict[str, int] = {}
    """Numbers by name."""
    log_file: Path | None = None
    """Where to note it."""
    desks: Annotated[tuple[int, ...], msgspec.Meta(max_length=2)] = ()
    """Which desks."""
    buffer: Bytes = Bytes(65536)
    """How much to hold."""


class Loft(msgspec.Struct, frozen=True, kw_only=True):
    """One home of pigeons."""

    street: str
    """Where it stands."""
    birds: int = 1
    """How many live there."""


class PigeonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `pigeon` sink."""

    lofts: tuple[Loft, ...]
    """Where pigeons fly."""
    secrets: tuple[Secret, ...] = ()
    """What they whisper."""
    route: str | None = None
    """Over which hills."""

    def __post_init__(self) -> None:
        if self.route == "sea":
            raise ValueError("pigeons do not cross the sea")


class Unfit(msgspec.Struct, frozen=True, kw_only=True):
    """Repeats an option of every account."""

    proxy: str | None = None


def refuse(*_: Any) -> Any:
    """Never opened: configuration is read without it."""
    raise NotImplementedError


VENUE = VenueSpec(
    name="acme",
    title="Acme",
    summary="An exchange for tests.",
    streams=("orders", "balances"),
    settings=Settings,
    open=refuse,
)
CLASH = VenueSpec(
    name="acme-clash", title="Acme", summary="", streams=("orders",), settings=Unfit, open=refuse
)
NOTHING = "this is no venue"
SINK = SinkSpec(
    name="pigeon", summary="By air.", settings=PigeonSettings, open=refuse, extra="loft"
)
