"""FMEX (FMex): perpetual contracts, by the private WebSocket and REST of 2020.

Covered: topics `account`, `order.<symbol>` and `position.<symbol>` of the private
stream; balances, positions, orders and executions by REST, for recovery. Orders
are never placed or changed.

The venue closed in 2020, so nothing here was ever checked against a live server.
Documents: https://github.com/FCoinCommunity/fmex-api-doc (the stream:
`source/includes/en/_ws.md`; the newest REST chapters are the Chinese ones), its
parent exchange's https://github.com/FCoinCommunity/api-docs, and what clients
that once worked show.

Quirks that shape this adapter:

- Numbers are JSON numbers of up to 19 digits, with exponents: kept as text.
- Nothing is pushed on subscribing, and a quiet account is silent for hours: the
  answers to our pings are the sign of life, and the state comes by REST.
- A login may be refused in any form, or not at all: a stream counts as live only
  once each topic is confirmed, and REST is asked why when one is not.
- No executions are pushed: fills follow from two states of an order (`reconcile`).
  REST lists executions without ids: they are counted (`executions`).
- The signature names the venue's own host, whichever host is connected to.
- Words are upper case in pushes and lower case in newer REST answers; a good
  `status` is 0 or "ok"; `risk_level` is `riskLevel` in older lists.
"""

from adapters.fmex.adapter import PerpetualAdapter
from adapters.fmex.requests import STREAMS
from adapters.fmex.settings import Settings
from gateway.contracts.adapter import VenueSpec

VENUE = VenueSpec(
    name="fmex",
    title="FMex",
    summary="Perpetual contracts: balances, orders with derived fills, positions.",
    streams=STREAMS,
    settings=Settings,
    open=PerpetualAdapter,
    simulator="adapters.fmex.simulator:SIMULATOR",
    quick_start="""\
accounts:
  fmex-main:
    venue: fmex
    credentials: {api_key: {env: FMEX_API_KEY}, secret: {env: FMEX_SECRET}}
    symbols: [btcusd_p]
""",
)
