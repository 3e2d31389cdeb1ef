"""A session of ccxt's LBank class against the addresses in argv; prints what it saw as JSON.

Run by `test_simulator_ccxt.py` in a process of its own: ccxt lives on asyncio. Only
its URLs are changed.
"""

import asyncio
import json
import sys
from typing import Any

import ccxt.pro

SYMBOL = "ETH/BTC"
BALANCE_CALL = "spotPrivatePostSupplementUserInfoAccount"
"""ccxt's default reads a list where it expects an object, and finds nothing."""
PATIENCE_SECONDS = 60


async def main(rest: str, websocket: str, api_key: str, secret: str) -> dict[str, Any]:
    """Load markets, follow orders and balances, place, read and cancel by REST."""
    exchange = ccxt.pro.lbank({"apiKey": api_key, "secret": secret})
    exchange.urls["api"].update({"rest": rest, "contract": rest, "ws": websocket})
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await session(exchange)
    finally:
        await exchange.close()


async def session(exchange: Any) -> dict[str, Any]:
    """Everything in the order in which a user would do it."""
    markets = await exchange.load_markets()
    following = [asyncio.create_task(follow(exchange)), asyncio.create_task(weigh(exchange))]
    await asyncio.sleep(0.5)  # ccxt does not tell when it has subscribed
    placed = await exchange.create_order(SYMBOL, "limit", "buy", 1.5, 0.01, {"custom_id": "mine"})
    seen = await exchange.fetch_order(placed["id"], SYMBOL)
    waiting = await exchange.fetch_open_orders(SYMBOL)
    await exchange.cancel_order(placed["id"], SYMBOL)
    bought = await exchange.create_order(SYMBOL, "limit", "buy", 0.5, 0.03)
    pushed, weighed = await asyncio.gather(*following)
    return {
        "markets": sorted(markets),
        "placed": placed["id"],
        "bought": bought["id"],
        "seen": [seen["id"], seen["status"], seen["side"], seen["clientOrderId"]],
        "waiting": [order["id"] for order in waiting],
        "pushed": pushed,
        "weighed": weighed,
        "history": [order["id"] for order in await exchange.fetch_orders(SYMBOL)],
        "trades": [trade["id"] for trade in await exchange.fetch_my_trades(SYMBOL)],
        "balance": (await exchange.fetch_balance({"method": BALANCE_CALL}))["total"],
    }


async def follow(exchange: Any) -> list[list[str]]:
    """Order updates until one is filled."""
    told: list[list[str]] = []
    while not any(status == "2" for _, status in told):
        told += [
            [order["id"], str(order["info"]["orderUpdate"]["orderStatus"])]
            for order in await exchange.watch_orders(SYMBOL)
        ]
    return told


async def weigh(exchange: Any) -> dict[str, float]:
    """The first balance that is pushed."""
    balance = await exchange.watch_balance()
    total: dict[str, float] = balance["total"]
    return total


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
