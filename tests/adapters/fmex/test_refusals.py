import pytest

from adapters.fmex.refusals import NotFound, error_of_code, error_of_http, error_of_upgrade
from gateway.errors import (
    ClockSkewed,
    LoginRefused,
    RateLimited,
    StreamError,
    SubscriptionRefused,
    VenueUnavailable,
)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (1002, VenueUnavailable, "1002 (busy)"),
        (1090, LoginRefused, "check that the secret"),
        (1797, NotFound, "no such order"),
        (2020, LoginRefused, "API key is not valid"),
        (2111, LoginRefused, "check that the secret"),
        (2136, LoginRefused, "expired"),
        (3001, LoginRefused, "reading rights"),
        (6004, ClockSkewed, "30 s off"),
        (6005, LoginRefused, "allowed addresses"),
        (41002, SubscriptionRefused, "symbols"),
        (404, NotFound, "HTTP 404"),
        (99999, VenueUnavailable, "99999 (busy)"),
    ],
)
def test_code(code: int, kind: type[StreamError], words: str):
    """Each code is one of our errors, in words that a person can act on."""
    error = error_of_code(code, "busy")

    assert kind is type(error)
    assert words in str(error)


def test_cause_nested_in_the_message():
    """6005 wraps the true cause as JSON in its message."""
    error = error_of_code(6005, '{"status":1090,"msg":"Illegal API signature"}')

    assert isinstance(error, LoginRefused)
    assert error.code == "1090"
    assert "Illegal API signature" in str(error)


def test_long_message_is_cut():
    """A venue's page of text does not fill our log."""
    assert len(str(error_of_code(1002, "x" * 10_000))) < 300


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, LoginRefused), (403, LoginRefused), (404, NotFound), (426, RateLimited),
        (429, RateLimited), (500, VenueUnavailable), (503, VenueUnavailable),
        (200, VenueUnavailable),
    ],
)  # fmt: skip
def test_answer_without_a_code(status: int, kind: type[StreamError]):
    """Where the body says nothing, the HTTP status has to."""
    assert kind is type(error_of_http(status))


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, "", LoginRefused),
        (400, "<html>", LoginRefused),
        (403, '{"status":0}', LoginRefused),
        (401, '{"status":6004,"msg":"timestamp is out of range"}', ClockSkewed),
        (400, '{"status":2020,"msg":"no such key"}', LoginRefused),
        (503, '{"status":1002,"msg":"busy"}', VenueUnavailable),
        (426, "", RateLimited),
        (502, "<html>", type(None)),
        (404, "", type(None)),
    ],
)
def test_refused_upgrade(status: int, body: str, kind: type):
    """The body is read before the status; a broken server says nothing about the login."""
    assert kind is type(error_of_upgrade(status, body))
