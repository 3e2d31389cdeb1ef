"""The contracts of FMEX that documents describe.

FMEX tells symbols only; what they are made of (and whether a contract is inverse,
which decides how average prices combine) has to be known beforehand.
"""

from typing import Final

import msgspec


class Instrument(msgspec.Struct, frozen=True):
    """One perpetual contract."""

    symbol: str
    """Unified: base/quote:settlement."""
    settlement: str
    """Currency of margin, fees and profit."""
    inverse: bool
    """True when a contract is worth a fixed amount of the quote currency."""


INSTRUMENTS: Final = {
    # 1 contract = 1 USD, margin and profit in BTC: the documents' samples fit no other reading.
    "BTCUSD_P": Instrument("BTC/USD:BTC", "BTC", inverse=True),
}
"""By the venue's own symbol, upper case. An unknown contract is carried, with `symbol` null."""


def find_instrument(venue_symbol: str | None) -> Instrument | None:
    """The contract behind a symbol, in whichever case the venue wrote it."""
    return INSTRUMENTS.get(venue_symbol.upper()) if venue_symbol else None
