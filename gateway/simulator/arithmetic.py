"""Exact arithmetic of a pretend exchange: wide decimals, cut and never rounded.

FMEX's published samples are cut to 18 decimals (three of them would differ if
they were rounded); LBank's quantities are cut to each pair's own accuracy.
"""

from decimal import ROUND_DOWN, Context, Decimal
from typing import Final

EXACT: Final = Context(prec=80, rounding=ROUND_DOWN)
"""Products of two 18-decimal numbers are exact in it; quotients are cut far out."""

ZERO: Final = Decimal(0)
PLACES: Final = 18
"""Decimals of what both venues compute."""


def cut(value: Decimal, places: int = PLACES) -> Decimal:
    """Drop every decimal after `places`."""
    return value.quantize(Decimal(1).scaleb(-places), context=EXACT)


def text(value: Decimal) -> str:
    """Plain notation without needless zeros after the point: ``5``, ``0.0012``."""
    written = format(value, "f")
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return written if written not in ("-0", "") else "0"
