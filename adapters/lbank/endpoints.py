"""Where LBank is reached, and every limit and interval that its protocol sets.

Marks behind a value name its source: [page] the official page on asset and order
pushes (API v1, 2019), [docs] the rest of LBank's official documentation, [field]
measured or found by users of the live exchange, [ours] chosen here.
"""

from typing import Final

# --- hosts -------------------------------------------------------------------

REST_URL: Final = "https://api.lbkex.com"
"""[page] One of two documented roots; also reachable: www.lbkex.net, api.lbank.info."""

WEBSOCKET_URL: Final = "wss://www.lbkex.net/ws/V2/"
"""[page] The only documented address; its trailing slash matters."""

# --- signatures --------------------------------------------------------------

ECHO_LENGTH: Final = 35
"""[docs] Characters in `echostr`: 30 to 40 letters and digits, else error 10031."""

CLOCK_TOLERANCE_SECONDS: Final = 5.0
"""[docs] A signed request older than this is refused with 10600."""

# --- stream key --------------------------------------------------------------

KEY_LIFE_SECONDS: Final = 60 * 60.0
"""[page] A key lives 60 minutes from its creation or its last refresh."""

KEY_REFRESH_SECONDS: Final = 30 * 60.0
"""[ours] Half its life, so that many refreshes may fail before it lapses."""

KEY_SUCCESSOR_SHARE: Final = 11 / 12
"""[ours] At this share of its life an unrefreshed key is no longer relied on: 55 minutes."""

KEY_REFRESH_TIMEOUT_SECONDS: Final = 15.0
"""[ours] A refresh that hangs longer counts as failed."""

KEY_RETRY_INITIAL_SECONDS: Final = 5.0
"""[ours] First pause after a failed refresh; it doubles, with jitter."""

KEY_RETRY_MAX_SECONDS: Final = 120.0
"""[ours] Longest pause between two tries to refresh."""

KEY_WATCH_SECONDS: Final = 10.0
"""[ours] How often a key's age is looked at, so that a suspended machine notices."""

KEY_FRESH_SECONDS: Final = 5.0
"""[ours] A key younger than this was just made or refreshed: it needs no proof."""

# --- the socket --------------------------------------------------------------

PING_SECONDS: Final = 10.0
"""[field] How often we ping. The server closes after a minute without an answer [docs]."""

SILENCE_SECONDS: Final = 25.0
"""[ours] Without any frame for so long the socket is dead: two of our pings unanswered.
With what follows from it a dead socket is declared within 30 s."""

REFUSAL_SECONDS: Final = 2.0
"""[field] Subscribing is not acknowledged; a refusal comes within this time."""

PROOF_SECONDS: Final = 15.0
"""[ours] The first ping must be answered within this time."""

# --- REST --------------------------------------------------------------------

REQUESTS_PER_SECOND: Final = 15.0
REQUESTS_BURST: Final = 50
"""[docs] 200 requests in 10 s and key; 50 at once and 15 a second stay within it."""

PAGE_ROWS: Final = 200
"""[docs] Largest `page_length` of order lists (1 to 200)."""

SMALLER_PAGE_ROWS: Final = 50
"""[docs] What error 10018 says the largest page is."""

TRADES_LIMIT: Final = 100
"""[docs] Largest `limit` of transaction_history."""

TRADES_WINDOW_SECONDS: Final = 2 * 24 * 3600
"""[docs] Longest time between `startTime` and `endTime` of transaction_history."""

TRADES_KEPT_SECONDS: Final = 90 * 24 * 3600
"""[docs] Older trades are not told (error 10607)."""

HISTORY_SECONDS: Final = {"v2": 24 * 3600, "v1": 7 * 24 * 3600}
"""[docs] How far back orders_info_history tells, by the time an order was placed."""

CHINA_OFFSET_SECONDS: Final = 8 * 3600
"""[docs] LBank writes and reads date texts in UTC+8, without saying so in them."""

LATE_SECONDS: Final = 60.0
"""[ours] Rows this much older than a gap are told again: their times are only seconds."""

MAX_PAGES: Final = 500
"""[ours] No list is believed to be longer (100,000 rows)."""


class Paths:
    """REST paths of one API version."""

    def __init__(self, version: str) -> None:
        later = version == "v2"
        supplement = "/v2/supplement" if later else "/v1"
        self.get_key: Final = f"/{version}/subscribe/get_key.do"
        self.refresh_key: Final = f"/{version}/subscribe/refresh_key.do"
        self.destroy_key: Final = f"/{version}/subscribe/destroy_key.do"
        self.open_orders: Final = f"{supplement}/orders_info_no_deal.do"
        self.order: Final = "/v2/spot/trade/orders_info.do" if later else "/v1/orders_info.do"
        self.history: Final = (
            "/v2/spot/trade/orders_info_history.do" if later else "/v1/orders_info_history.do"
        )
        self.trades: Final = f"{supplement}/transaction_history.do"
        self.order_trades: Final = f"/{version}/order_transaction_detail.do"
        self.balances: Final = (
            "/v2/supplement/user_info_account.do" if later else "/v1/user_info.do"
        )


OLDER_PATHS: Final = {
    "/v2/spot/trade/orders_info.do": "/v2/supplement/orders_info.do",
    "/v2/spot/trade/orders_info_history.do": "/v2/supplement/orders_info_history.do",
}
"""[docs] What the documents before March 2026 name; both were answered in October 2026 [field]."""

TIMESTAMP_PATH: Final = "/v2/timestamp.do"
"""[docs] LBank's clock; unsigned."""
