"""The faults and commands that a scenario's timeline can hold, one class each.

`do:` names the class in snake case. A step with `for:` lasts so long, or until
the simulator ends; one with `every:` comes again and again; one with `account:`
(0 is the first) concerns only that account.
"""

import re
from typing import Annotated, Literal

import msgspec

from gateway.contracts.values import Seconds


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class Step(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="do",
    tag=_snake,
    rename={"lasting": "for"},
):
    """One entry of the timeline."""

    at: Seconds = Seconds(0)
    """When, counted from the start of the simulator."""
    every: Seconds | None = None
    """Do it again after each such period."""
    account: int | None = None
    """Only this account; all of them by default."""


class Lasting(Step, frozen=True, kw_only=True):
    """A fault that lasts."""

    lasting: Seconds | None = None
    """How long; without it until the end."""


class RestFault(Lasting, frozen=True, kw_only=True):
    """A fault of REST answers."""

    path: str = ""
    """Only paths that contain this text."""


# --- connections -------------------------------------------------------------


class Drop(Step, frozen=True, kw_only=True):
    """Cut the connections without a closing frame."""

    how: Literal["rst", "fin"] = "rst"


class Close(Step, frozen=True, kw_only=True):
    """Close the connections in good order."""

    code: int = 1001
    reason: str = ""


class Silence(Lasting, frozen=True, kw_only=True):
    """Connections stand and are heard, but nothing at all is sent."""


class HalfOpen(Lasting, frozen=True, kw_only=True):
    """Connections that stand now neither send nor hear; no FIN and no RST comes."""


class MuteHeartbeat(Lasting, frozen=True, kw_only=True):
    """Pushes flow, but pings are neither sent nor answered."""


class LoseSubscription(Step, frozen=True, kw_only=True):
    """The venue forgets the subscriptions and says nothing."""


class RefuseConnect(Lasting, frozen=True, kw_only=True):
    """Upgrades are answered by an HTTP error."""

    status: int = 503
    retry_after: int | None = None
    """Seconds."""


class StallConnect(Lasting, frozen=True, kw_only=True):
    """Upgrades are never answered."""


class RefuseLogin(Lasting, frozen=True, kw_only=True):
    """The credentials are refused, by the code given or the venue's usual one."""

    code: int | None = None


# --- stream keys -------------------------------------------------------------


class ExpireKey(Step, frozen=True, kw_only=True):
    """The stream keys reach the end of their life now."""


class VoidKey(Step, frozen=True, kw_only=True):
    """The venue destroys the stream keys."""


# --- pushes ------------------------------------------------------------------


class Lose(Lasting, frozen=True, kw_only=True):
    """Some pushes never arrive."""

    share: float = 1.0


class Delay(Lasting, frozen=True, kw_only=True):
    """Pushes arrive late, in order."""

    by: Seconds = Seconds(2)


class Duplicate(Lasting, frozen=True, kw_only=True):
    """Some pushes arrive twice, the second time after `by`."""

    share: float = 0.5
    by: Seconds = Seconds(0.2)


class Reorder(Lasting, frozen=True, kw_only=True):
    """Some pushes arrive after those that follow them, at most `by` late."""

    share: float = 0.3
    by: Seconds = Seconds(0.5)


# --- frames that should not be -----------------------------------------------

GarbageKind = Literal[
    "any", "binary", "cut", "deep", "double_key", "exponent", "invalid_utf8", "long_integer",
    "nan", "not_json", "wrong_type",
]  # fmt: skip


class Garbage(Step, frozen=True, kw_only=True):
    """Frames that make no sense."""

    kind: GarbageKind = "any"
    """``invalid_utf8`` breaks RFC 6455 and is sent only when asked for."""
    count: int = 1


class Inject(Step, frozen=True, kw_only=True):
    """Send this text as it stands."""

    text: str


class Oversize(Step, frozen=True, kw_only=True):
    """One frame of many bytes."""

    size: int = 64 * 1024 * 1024


class Fragments(Step, frozen=True, kw_only=True):
    """A message in many fragments that never ends."""

    size: int = 64 * 1024 * 1024


class DeflateBomb(Step, frozen=True, kw_only=True):
    """A few compressed kilobytes that unfold to `size`."""

    size: int = 256 * 1024 * 1024


# --- REST --------------------------------------------------------------------


class RejectRest(RestFault, frozen=True, kw_only=True):
    """Requests are refused with one of the venue's codes."""

    code: int


class Html(RestFault, frozen=True, kw_only=True):
    """HTML with status 200, as an overloaded front end sends it."""


class Status(RestFault, frozen=True, kw_only=True):
    """Every request gets this HTTP status."""

    status: int
    retry_after: int | None = None
    """Seconds."""


class Hang(RestFault, frozen=True, kw_only=True):
    """Requests are taken and never answered."""


class Slow(RestFault, frozen=True, kw_only=True):
    """Answers come late."""

    by: Seconds = Seconds(3)


class Endless(RestFault, frozen=True, kw_only=True):
    """Answers begin and never end."""


class HalfAnswer(RestFault, frozen=True, kw_only=True):
    """Answers break off in the middle."""


# --- the venue itself --------------------------------------------------------


class ClockSkew(Lasting, frozen=True, kw_only=True):
    """The venue's clock is off."""

    by: Seconds


class Switch(Step, frozen=True, kw_only=True):
    """Set a switch of the venue."""

    name: str
    value: str | int | float | bool


class Rate(Step, frozen=True, kw_only=True):
    """Change how lively the market is."""

    per_second: float


class Trade(Step, frozen=True, kw_only=True):
    """Let the market move now."""

    count: int = 1


class Blast(Step, frozen=True, kw_only=True):
    """Push made-up order updates, as fast as the socket takes them or at a pace.

    They are a load, not a market: no ledger moves and REST does not know them.
    """

    frames: int = 100_000
    states: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    """So many updates tell of one order, one after the other: that it was placed, then how
    it filled."""
    per_second: float | None = None
    """On each connection, evenly; every update then tells the moment at which it was sent."""


AnyStep = (
    Drop | Close | Silence | HalfOpen | MuteHeartbeat | LoseSubscription | RefuseConnect
    | StallConnect | RefuseLogin | ExpireKey | VoidKey | Lose | Delay | Duplicate | Reorder
    | Garbage | Inject | Oversize | Fragments | DeflateBomb | RejectRest | Html | Status | Hang
    | Slow | Endless | HalfAnswer | ClockSkew | Switch | Rate | Trade | Blast
)  # fmt: skip
