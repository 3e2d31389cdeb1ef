"""REST answers in every shape that was seen."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.lbank.answers import Reply, decode_reply
from adapters.lbank.refusals import Refused
from gateway.errors import GatewayError, VenueUnavailable

KEY = "4e99" * 16


def reply(value: object) -> Reply:
    """The answer whose body is `value`."""
    return decode_reply("/v2/x.do", 200, json.dumps(value).encode())


@pytest.mark.parametrize(
    "answer",
    [
        {"result": "true", "subscribeKey": KEY},
        {"result": True, "data": KEY, "error_code": 0, "ts": 1705602277198},
        {"key": KEY},
        {"result": "true", "data": {"key": KEY}, "error_code": "00000"},
        {"result": "true", "data": {"subscribeKey": KEY}},
        {"result": "true", "key": KEY, "data": None},
    ],
)
def test_key_is_found_in_every_shape(answer: Any):
    """get_key's answer holds the key under one of several names."""
    assert not reply(answer).refused
    assert KEY == reply(answer).stream_key()


@pytest.mark.parametrize(
    ("answer", "succeeded", "refused"),
    [
        ({"result": "true"}, True, False),
        ({"result": True}, True, False),
        ({"result": "True", "error_code": "0"}, True, False),
        ({"result": "false"}, False, True),
        ({"result": False, "error_code": 10005}, False, True),
        ({"result": "true", "error_code": 10004}, False, True),
        ({"result": "true", "code": "10022"}, False, True),
        ({"error_code": 10000}, False, True),
        ({}, False, False),
        ({"data": "x"}, False, False),
    ],
)
def test_success_and_refusal(answer: Any, succeeded: bool, refused: bool):
    """The text "false" is no success, and an answer that says nothing is neither."""
    assert (succeeded, refused) == (reply(answer).succeeded, reply(answer).refused)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"<html>busy</html>", "web page"),
        (200, b"", "no JSON object"),
        (200, b"[1]", "no JSON object"),
        (503, b'{"result":"true"}', "HTTP 503"),
        (404, b"<html>", "does not know this call"),
    ],
)
def test_answers_that_prove_nothing(status: int, body: bytes, words: str):
    """A web page, an empty body or a server error is `VenueUnavailable`, in words."""
    with pytest.raises(VenueUnavailable, match=words):
        decode_reply("/v2/x.do", status, body)


def test_missing_route_is_a_refusal():
    """An unknown path is refused for good, so that a recovery can go on without it."""
    with pytest.raises(Refused):
        decode_reply("/v2/x.do", 404, b"<html>")


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ({"data": {"orders": [{"a": 1}, {"a": 2}]}}, 2),
        ({"orders": [{"a": 1}]}, 1),
        ({"orders": ""}, 0),
        ({"orders": None, "data": None}, 0),
        ({"data": [{"a": 1}]}, 1),
        ({"data": {"orderId": "x", "status": 1}}, 1),
        ({"data": {"total": 0}}, 0),
        ({"data": {"orders": ""}}, 0),
        ({"result": "true"}, 0),
    ],
)
def test_rows_in_every_shape(answer: Any, count: int):
    """Rows lie in `data`, beside it, or are `data`; empty lists have several spellings."""
    assert count == len(reply(answer).rows("orders"))


@given(st.binary(), st.sampled_from([200, 404, 500]))
def test_any_body_is_a_reply_or_our_error(body: bytes, status: int):
    """Whatever comes back is a reply or one of our errors."""
    with suppress(GatewayError):
        decode_reply("/x", status, body).rows("orders")
