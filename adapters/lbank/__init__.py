"""LBank spot: orders, fills and balances of one account, pushed; the rest by REST.

Covered: `orderUpdate` (the form of 2019 and today's) and `assetUpdate` on the V2
socket; stream keys, orders, trades and balances by REST API v2 (HMAC-SHA256, RSA) and
v1 (RSA, MD5). Not covered: placing orders, market data, contracts.

Official documents: https://www.lbank.com/docs/ and
https://github.com/LBank-exchange/lbank-official-api-docs

Quirks that a reader of this folder should know:

* Subscribing is not acknowledged. A stream counts as live when our ping after the
  subscribe frames is answered and no error frame came within two seconds.
* A stream key lives an hour from its last refresh; what happens to a subscription
  after that is not documented, so it is refreshed at half its life (`keys`).
* The socket does not answer RFC 6455 pings reliably: JSON pings go both ways.
* `amount`, `volumePrice`, `price` and `role` of a push describe the *latest trade*;
  `remainAmt` of a buy is money; `TS` is UTC+8 without saying so, and is not used.
* A market order's `orderPrice` is the market's price at that moment, not a limit: its
  `price` is null.
* REST knows no call for all pairs: name yours in `recovery.pairs` when `pairs` is `all`.
* Whether the trade list of REST names trades as pushes do is not documented: see `told_trades`.
* Error frames echo the caller's address: it is blanked out everywhere.
* `destroy_key` may cut other streams of the account (not documented): off by default.
* Making a second key may void the first (not documented): both connections of an
  account share one, and a successor is made only when the old one cannot be refreshed.
"""

from typing import Final

from adapters.lbank.adapter import SpotAdapter
from adapters.lbank.settings import Settings
from gateway.contracts.adapter import VenueSpec

VENUE: Final = VenueSpec(
    name="lbank",
    title="LBank",
    summary="Spot orders, fills and balances by the private V2 socket.",
    streams=("orders", "balances"),
    settings=Settings,
    open=SpotAdapter,
    simulator="adapters.lbank.simulator:SIMULATOR",
    quick_start="""\
lbank-main:
  venue: lbank
  credentials:
    api_key: {env: LBANK_API_KEY}
    secret: {env: LBANK_SECRET}
    signature: hmac-sha256
  pairs: all
  recovery: {pairs: [eth_btc]}
""",
)
"""What the entry point ``lbank`` names."""
