"""BTCUSD_P: an inverse contract, 1 contract = 1 USD, margin and profit in BTC.

The formulas reproduce the published samples to the last digit: everything that
is computed is cut, not rounded, to 18 decimals.
"""

from decimal import Decimal
from typing import Any, Final

from gateway.simulator.arithmetic import ZERO, cut

SYMBOL: Final = "BTCUSD_P"
TOPIC: Final = "btcusd_p"
CURRENCY: Final = "BTC"
TICK: Final = Decimal("0.5")
START: Final = Decimal("9278.5")
TAKER_RATE: Final = Decimal("0.00045")
MAKER_RATE: Final = Decimal("-0.00025")
"""Makers are paid."""
MAINTENANCE_RATE: Final = Decimal("0.005")
MAX_LEVERAGE: Final = 100
MAX_QUANTITY: Final = 100_000
OVER_MARGINED: Final = Decimal(999999)
"""What stands for the price of a short that nothing can liquidate."""


def value_of(quantity: int, price: Decimal) -> Decimal:
    """Worth of so many contracts, in BTC."""
    return cut(Decimal(quantity) / price)


def fee_of(value: Decimal, rate: Decimal) -> Decimal:
    """Fee on a value; negative is a rebate."""
    return cut(value * rate)


def average(quantity: int, worth: Decimal) -> Decimal:
    """The harmonic mean: contracts per BTC of worth."""
    return cut(Decimal(quantity) / worth) if worth else ZERO


def profit_of(quantity: int, entry: Decimal, leave: Decimal, *, is_long: bool) -> Decimal:
    """Profit of closing so many contracts."""
    gain = Decimal(quantity) / entry - Decimal(quantity) / leave
    return cut(gain if is_long else -gain)


def _distress_price(
    quantity: int, entry: Decimal, margin: Decimal, rates: Decimal, *, is_long: bool
) -> Decimal:
    worth = Decimal(quantity) / entry
    if is_long:
        return cut(quantity * (1 + rates) / (margin + worth))
    if worth <= margin:
        return OVER_MARGINED
    return min(OVER_MARGINED, cut(quantity * (1 - rates) / (worth - margin)))


def liquidation_price(quantity: int, entry: Decimal, margin: Decimal, *, is_long: bool) -> Decimal:
    """Where equity after the taker's fee equals value times maintenance rate."""
    rates = TAKER_RATE + MAINTENANCE_RATE
    return _distress_price(quantity, entry, margin, rates, is_long=is_long)


def bankruptcy_price(quantity: int, entry: Decimal, margin: Decimal, *, is_long: bool) -> Decimal:
    """Where equity after the taker's fee is nothing."""
    return _distress_price(quantity, entry, margin, TAKER_RATE, is_long=is_long)


def listing() -> dict[str, Any]:
    """The contract in the list of symbols."""
    return {
        "symbol": SYMBOL,
        "margin_currency": CURRENCY,
        "base_currency": CURRENCY,
        "quote_currency": "USD",
        "minimum_price_increment": TICK,
        "multiplier": 1,
        "inverse": True,
    }
