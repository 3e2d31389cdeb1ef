"""Where FMEX is, and how often it may be asked. Every number with its source.

Sources: [ws] the page "ws Push portal" (`_ws.md`), [docs] the other chapters of
FCoinCommunity/fmex-api-doc, [fcoin] the parent exchange's documents, [own] chosen
here because nobody says.
"""

from typing import Final

REST_URL: Final = "https://api.fmex.com"
"""[docs] Introduction."""
WEBSOCKET_URL: Final = "wss://api.fmex.com/v2/user/ws"
"""[ws]"""
SIGN_URL: Final = "https://api.fmex.com"
"""[ws] The signed text names this host, whichever host the connection goes to."""

STREAM_PATH: Final = "/v2/user/ws"
"""[ws] The path in the signed text of the WebSocket."""
SERVER_TIME_PATH: Final = "/v2/public/server-time"
"""[docs] Public: needs no signature."""
ACCOUNTS_PATH: Final = "/v3/contracts/accounts"
"""[docs]"""
POSITIONS_PATH: Final = "/v3/broker/auth/contracts/positions"
"""[docs]"""
OLD_POSITIONS_PATH: Final = "/v3/contracts/positions"
"""[docs] Until commit f663f4f of 2019-09-27; clients still used it later."""
OPEN_ORDERS_PATH: Final = "/v3/contracts/orders/open"
"""[docs]"""
CLOSED_ORDERS_PATH: Final = "/v3/contracts/orders/closed"
"""[docs]"""
ORDER_PATH: Final = "/v3/contracts/orders/{order_id}"
"""[docs] Open or closed."""
MATCHES_PATH: Final = "/v3/contracts/orders/{order_id}/matches"
"""[docs]"""

PING_SECONDS: Final = 15.0
"""[docs] Recommended; 10 to 20 s allowed."""
SILENCE_SECONDS: Final = 25.0
"""[own] A ping unanswered for 10 s, and no other frame: the connection is dead.
With what follows from it a dead connection is declared within 30 s."""
CONFIRM_SECONDS: Final = 10.0
"""[own] How long the `topics` answers to our subscriptions may take."""
TOPICS_PER_COMMAND: Final = 20
"""[docs] "At most 20 topics": read as per command, as clients did."""

REST_PER_SECOND: Final = 9.0
REST_BURST: Final = 10
"""[docs] 100 requests in 10 s and user: 10 at once and 9 a second never pass it."""
CLOSED_PAGE_ROWS: Final = 100
"""[docs] Largest `limit` of closed orders."""

CLOCK_TOLERANCE_SECONDS: Final = 30
"""[docs] A signature is refused when its timestamp is further off."""
