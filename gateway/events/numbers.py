"""Exact decimals, kept as the text that the venue sent.

Every price, quantity, fee and rate travels through the gateway as a *plain
decimal*: a string such as ``"0.000009747280117178"`` without exponent, sign
padding or float anywhere on the way. Text that already is plain passes through
untouched, which is both the exact and the cheap thing to do; arithmetic happens
only where the gateway has to compute something, and then in `CONTEXT`.
"""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, localcontext
from functools import lru_cache
from typing import Final, NewType

PlainDecimal = NewType("PlainDecimal", str)
"""A finite decimal in plain notation, for example ``"9288.0"`` or ``"-0.5"``."""

MAX_DIGITS: Final = 64
"""Longest coefficient and largest magnitude or scale that is believed to be a quantity.

Venues send up to 19 significant digits with 18 decimals. The bound only has to
keep ``1e999999`` from being printed as a million characters.
"""

COMPUTED_DECIMALS: Final = 18
"""Decimals of a computed price: what both venues themselves use."""

CONTEXT: Final = Context(prec=4 * MAX_DIGITS, rounding=ROUND_HALF_EVEN)
"""Wide enough that sums and products of two plain decimals are exact."""

_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?", re.ASCII)
_QUANTUM = Decimal(1).scaleb(-COMPUTED_DECIMALS)


class NumberError(ValueError):
    """You get this when a text or number is no finite decimal of believable size."""


def plain(value: str | int | Decimal) -> PlainDecimal:
    """Write `value` as a plain decimal with all its digits.

    >>> plain("9.747280117178e-06")
    '0.000009747280117178'
    >>> plain("0E-18")
    '0.000000000000000000'

    Raises `NumberError` for NaN, infinities, blanks, underscores and numbers of
    more than `MAX_DIGITS` digits. Floats are refused by type: they have already
    lost what this module is there to keep.
    """
    if isinstance(value, str):
        return _plain_text(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise NumberError(f"not a decimal number: {type(value).__name__}")
    return _print(value)


@lru_cache(maxsize=4096)
def _plain_text(text: str) -> PlainDecimal:
    """Prices, quantities and above all zeros come again and again."""
    if _PLAIN.fullmatch(text):
        return PlainDecimal(text)
    if len(text) > 2 * MAX_DIGITS or not _NUMBER.fullmatch(text):
        raise NumberError(f"not a decimal number: {text[:40]!r}")
    return _print(Decimal(text))


def _print(value: int | Decimal) -> PlainDecimal:
    if isinstance(value, int):
        if abs(value) >= 10**MAX_DIGITS:
            raise NumberError("more digits than a quantity has")
        return PlainDecimal(str(value))
    if not value.is_finite():
        raise NumberError(f"not a finite number: {value}")
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # only NaN and infinities have letters here
    if len(digits) > MAX_DIGITS or not -MAX_DIGITS <= exponent <= MAX_DIGITS:
        raise NumberError("more digits than a quantity has")
    return PlainDecimal(format(value, "f"))


def to_decimal(value: PlainDecimal) -> Decimal:
    """The number behind a plain decimal, for arithmetic in `CONTEXT`."""
    return Decimal(value)


def is_zero(value: PlainDecimal) -> bool:
    """Tell whether the number is zero, however many zeros it is written with."""
    return not value.strip("-0.")


def canonical(value: PlainDecimal) -> str:
    """The one spelling that equal numbers share: ``1``, ``1.0`` and ``1.00`` give ``1``.

    Used for identity only; what is delivered keeps the venue's digits.
    """
    if "." in value:
        value = PlainDecimal(value.rstrip("0").rstrip("."))
    return "0" if value in ("-0", "-", "") else value


def same(left: PlainDecimal | None, right: PlainDecimal | None) -> bool:
    """Tell whether two optional decimals are the same number."""
    if left is None or right is None:
        return left is right
    return left == right or canonical(left) == canonical(right)


def add(left: PlainDecimal, right: PlainDecimal) -> PlainDecimal:
    """The exact sum."""
    if right == "0":
        return left
    return plain(CONTEXT.add(Decimal(left), Decimal(right)))


def subtract(left: PlainDecimal, right: PlainDecimal) -> PlainDecimal:
    """The exact difference."""
    if right == "0":  # of an order that nobody has filled yet
        return left
    if left.isdigit() and right.isdigit():  # contracts
        return PlainDecimal(str(int(left) - int(right)))
    return plain(CONTEXT.subtract(Decimal(left), Decimal(right)))


def compare(left: PlainDecimal, right: PlainDecimal) -> int:
    """Negative, zero or positive as `left` is less than, equal to or more than `right`."""
    if left == right:
        return 0
    return int(Decimal(left).compare(Decimal(right)))


def computed(value: Decimal) -> PlainDecimal:
    """Write a number that the gateway computed: 18 decimals at most, half-even.

    Exact results keep their digits; only a longer tail is rounded.
    """
    try:
        with localcontext(CONTEXT):
            _, _, exponent = value.as_tuple()
            if isinstance(exponent, int) and exponent < -COMPUTED_DECIMALS:
                value = value.quantize(_QUANTUM)
            return plain(value)
    except InvalidOperation as error:
        raise NumberError("a computed number is out of range") from error
