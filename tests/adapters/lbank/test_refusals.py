"""What LBank's refusals become, and what their messages must not show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lbank.refusals import (
    LOGIN_WORDS,
    Refused,
    refusal_by_code,
    refusal_by_words,
    without_address,
)
from gateway.errors import ClockSkewed, LoginRefused, RateLimited, StreamError, VenueUnavailable


@pytest.mark.parametrize("code", ["10005", "10006", "10007", "10022", "10067", "10203", "10205"])
def test_codes_that_need_a_person(code: str) -> None:
    """Codes that stay until a person acts are `LoginRefused`, with code and words."""
    error = refusal_by_code("/x", code, "")

    assert isinstance(error, LoginRefused)
    assert error.code == code
    assert str(error) == f"LBank says {code}: {LOGIN_WORDS[code]}"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("10600", ClockSkewed),
        ("10004", RateLimited),
        ("10000", VenueUnavailable),
        ("10017", VenueUnavailable),
        ("10116", VenueUnavailable),
        ("10601", VenueUnavailable),
        ("10032", Refused),
        ("99999", Refused),
        ("", Refused),
    ],
)
def test_other_codes(code: str, error: type[StreamError]) -> None:
    """Each other code has exactly one meaning."""
    assert type(refusal_by_code("/x", code, "words")) is error


def test_rate_limit_waits_for_the_window() -> None:
    """LBank tells no time to wait; its limits count over 10 s."""
    error = refusal_by_code("/x", "10004", "")

    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 10


@pytest.mark.parametrize(
    "address", ["[203.0.113.9]", "203.0.113.9", "[2001:db8::7]", "[::ffff:203.0.113.9]"]
)
@pytest.mark.parametrize("spelled", ["remoteIp is: ", "remoteIp is ", "REMOTEIP is:"])
def test_address_is_blanked_out(spelled: str, address: str) -> None:
    """However the address is written, it does not show."""
    clean = without_address(f"Invalid order pairs:[a],{spelled}{address}, sorry")

    assert "203.0.113" not in clean
    assert "db8" not in clean
    assert "Invalid order pairs:[a]" in clean


@given(st.text(), st.text())
def test_any_words_are_an_error(code: str, words: str) -> None:
    """Whatever LBank says is one of our errors."""
    assert isinstance(refusal_by_code("/x", code, words), StreamError)
    assert isinstance(refusal_by_words(words), StreamError)
