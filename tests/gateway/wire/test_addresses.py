"""What is wrong with a URL that somebody configured."""

import pytest

from gateway.wire.addresses import url_problem


@pytest.mark.parametrize(
    "url", ["https://api.lbkex.com", "http://127.0.0.1:80/x?a=%20", "https://[::1]/"]
)
def test_a_sound_address(url: str) -> None:
    """Has nothing wrong with it."""
    assert url_problem(url, "https", "http") is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("wss://h", "must be an address that starts with https:// or http://"),
        ("https://", "must be an address that starts with https:// or http://"),
        ("https://h:99999", "not a URL: look at the host and the port"),
        ("https://u:password@h", "a user name in the URL is not supported"),
        ("https://api exchange.com", "holds characters that must be percent-encoded"),
        ("https://h/\u00e9", "holds characters that must be percent-encoded"),
    ],
)
def test_a_wrong_one(url: str, told: str) -> None:
    """Is told in words that do not show it: it may hold a password."""
    assert told == url_problem(url, "https", "http")
