"""What LBank's documents leave open or contradict, as switches.

The defaults are what live captures show, where there are any.
"""

from typing import Literal

import msgspec

from gateway.contracts.values import Seconds


class Switches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One setting of every open question."""

    credentials: Literal["hmac", "rsa"] = "hmac"
    """What kind of API key the accounts have; fixed at the start."""
    push_form: Literal["2019", "today"] = "today"
    """The order push of the 2019 page, or the longer one of later captures."""
    acknowledge: Literal["none", "json", "text"] = "none"
    """What answers a subscribe: nothing (V2 as seen), a frame, or bare text (V3)."""
    partial_cancel: Literal["-1", "3"] = "-1"
    """Status on the socket of an order that was cancelled after a partial fill."""
    cancelling: Literal["pushed", "skipped"] = "pushed"
    """Whether status 4 is pushed before a cancel."""
    cancel_amounts: Literal["zero", "last_trade"] = "zero"
    """What `amount` and `volumePrice` hold in a push without a trade."""
    asset_push: Literal["after", "before"] = "after"
    """Whether the balances are pushed after the order or before it."""
    trade_ids: Literal["same", "different"] = "same"
    """Whether `id` in supplement/transaction_history is the `txUuid` of the push."""
    new_key: Literal["fresh", "same", "voids_old"] = "fresh"
    """What get_key does while an older stream key lives."""
    key_life: Seconds = Seconds(3600)
    """How long a stream key lives; 60 minutes by the page."""
    key_expiry: Literal["silent", "error", "close"] = "silent"
    """What a live subscription does when its key dies."""
    refresh_after_expiry: Literal["refused", "revives"] = "refused"
    """What refresh_key does to a key past its life."""
    bad_key: Literal["error", "silent", "close"] = "error"
    """What a subscribe with a dead key meets."""
    destroy_scope: Literal["key", "account"] = "key"
    """Whether destroy_key ends one key or every key of the account."""
    key_answer: Literal["documented", "data", "data_key", "key", "subscribe_key"] = "documented"
    """Where get_key puts the key; documented = `subscribeKey` for v1, `data` for v2."""
    refresh_answer: Literal["string", "boolean"] = "string"
    """Type of `result` in the answers to refresh and destroy."""
    envelope: Literal["mixed", "string", "boolean"] = "mixed"
    """Type of `result` elsewhere; mixed = boolean for orders and get_key, else string."""
    order_trades: bool = True
    """Whether order_transaction_detail is served, which no document of 2026 describes."""
    spot_trade: bool = True
    """Whether the paths below spot/trade are served, which no document before 2026 names."""
    history: Literal["final", "all"] = "final"
    """Whether order history without a status filter leaves out partly filled, cancelled orders."""
    ping_every: Seconds = Seconds(20)
    """How often the server pings; the documents say periodically."""
