"""What FMEX's documents leave open or contradict, as switches."""

from typing import Literal

import msgspec

from gateway.contracts.values import Seconds


class Switches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting of every open question."""

    hello: bool = True
    """Whether the private socket greets as the market socket does."""
    refused_login: Literal["http_401", "open_then_close", "message", "anonymous"] = "http_401"
    """What a bad signature meets: a refused upgrade, a close, an error frame, or nothing
    at all (the sibling exchange goes on as an anonymous user)."""
    anonymous_sub: Literal["error", "silent"] = "error"
    """What an anonymous subscriber of private topics hears: 41002, or nothing."""
    topics_reply: Literal["all", "new"] = "all"
    """Whether `topics` lists every topic of the connection, or those of this command."""
    topics_id: bool = True
    """Whether `topics` echoes the command's id."""
    partial_topics: Literal["refuse_all", "take_good"] = "refuse_all"
    """What becomes of a command that holds one wrong topic."""
    ping_reply: bool = True
    """Whether the private socket answers JSON pings."""
    idle_close: Seconds = Seconds(300)
    """A client that pings no more is closed after this (FCoin's figure)."""
    signature_query: Literal["form", "raw"] = "form"
    """Whether an unescaped ``+`` in the query becomes a blank."""
    push_numbers: Literal["mixed", "plain", "java"] = "mixed"
    """How pushes write numbers; mixed = as the samples, with exponents like ``e-06``."""
    rest_case: Literal["lower", "upper"] = "lower"
    """Case of enums in REST answers; older samples are upper."""
    old_positions: bool = True
    """Whether the position path of before 2019-09 is still served."""
    broker_positions: bool = True
    """Whether today's position path is served."""
    closed_positions: bool = True
    """Whether REST lists positions of quantity 0."""
    stop_trigger: Literal["same_id", "new_id"] = "same_id"
    """Whether a triggered stop keeps its order id."""
    stops_in_open: bool = True
    """Whether waiting stop orders stand in orders/open."""
    month_zone: Literal["utc", "utc8"] = "utc"
    """Whose months `range` means."""
    month_of: Literal["created", "ended"] = "created"
    """By which time `closed` files an order."""
    order_model: Literal["new", "old"] = "new"
    """REST's order object; the old one has `sequenceId` and no `symbol`."""
    extra_fields: bool = False
    """Whether pushes carry more fields than documented, as an early sample did."""
