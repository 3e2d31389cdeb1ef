"""Exact decimals."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events.numbers import (
    CONTEXT,
    NumberError,
    add,
    canonical,
    compare,
    computed,
    is_zero,
    plain,
    same,
    subtract,
)

believable = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda value: len(value.as_tuple().digits) <= 40 and -40 <= int(value.as_tuple().exponent) <= 20
)


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("9.747280117178e-06", "0.000009747280117178"),
        ("9288.0", "9288.0"),
        ("0E-18", "0.000000000000000000"),
        ("2.796888254907565438", "2.796888254907565438"),
        ("1E+2", "100"),
        ("-4.8499218623e-08", "-0.000000048499218623"),
        ("+1", "1"),
        ("007", "7"),
        (".5", "0.5"),
        (10210, "10210"),
        (Decimal("994.0"), "994.0"),
    ],
)
def test_venue_spellings_become_plain(sent: str | int | Decimal, written: str):
    """Every spelling a venue uses becomes a plain decimal with all its digits."""
    assert written == plain(sent)


@pytest.mark.parametrize(
    "sent",
    ["", " 1", "1 ", "NaN", "Infinity", "-inf", "1_000", "0x10", "1e400", "1e999999", "१", "1,5",
     "1" * 65, "--1", Decimal("NaN"), True, 0.5, None, 10**64],
)  # fmt: skip
def test_what_is_no_quantity_is_refused(sent: object):
    """Text that is no finite decimal of believable size raises NumberError."""
    with pytest.raises(NumberError):
        plain(sent)  # type: ignore[arg-type] # a wrong type is the point


@given(believable)
def test_no_digit_is_lost(value: Decimal):
    """The plain spelling is the same number with the same digits."""
    written = plain(str(value))

    assert "E" not in written.upper()
    assert Decimal(written) == value
    assert written == plain(written)


@given(believable, believable)
def test_arithmetic_is_exact(left: Decimal, right: Decimal):
    """Sums and differences undo each other to the last digit."""
    a, b = plain(left), plain(right)

    assert same(a, subtract(add(a, b), b))


@given(believable)
def test_equal_numbers_have_one_canonical_spelling(value: Decimal):
    """Trailing zeros and exponents do not change the canonical spelling."""
    padded = plain(
        value.quantize(
            Decimal(1).scaleb(min(int(value.as_tuple().exponent), 0) - 3), context=CONTEXT
        )
    )

    assert canonical(plain(value)) == canonical(padded)
    assert same(plain(value), padded)
    assert compare(plain(value), padded) == 0


def test_zero_is_zero_however_written():
    """Zero is recognised with any sign and any number of zeros."""
    assert is_zero(plain("0E-18"))
    assert is_zero(plain("-0.0"))
    assert canonical(plain("-0.0")) == "0"
    assert not is_zero(plain("0.000000000000000001"))


def test_computed_numbers_round_half_even_at_18_decimals():
    """A computed tail longer than 18 decimals is rounded half to even; a shorter one is kept."""
    assert computed(Decimal("0.0000000000000000005")) == "0.000000000000000000"
    assert computed(Decimal("0.0000000000000000015")) == "0.000000000000000002"
    assert computed(Decimal("9288.0")) == "9288.0"
