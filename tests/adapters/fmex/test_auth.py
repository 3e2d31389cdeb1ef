"""Vectors of FMEX's and its parent's documents, and some computed beside them."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.fmex.auth import Key, sign, signed_headers, stream_url, url_with_query

CONTRACTS = "https://api.fmex.com/v3/contracts"
FMEX_SECRET = "ebfaeef06e2e49e1bc7e535c2766bbe6"
FCOIN_SECRET = "3600d0a74aa3410fb3b1996cca2419c8"
FMEX_BODY = "direction=short&price=5500&quantity=100&source=WEB&symbol=btcusd_p&type=limit"
FCOIN_BODY = "amount=100.0&price=100.0&side=buy&symbol=btcusdt&type=limit"


@pytest.mark.parametrize(
    ("secret", "url", "timestamp_ms", "body", "expected"),
    [
        pytest.param(
            FMEX_SECRET, "https://api.fmex.com/v3/contracts/orders", 1571109222426, FMEX_BODY,
            "s37ML6NwRLqMco75wCqsXFVz5iw=", id="zh/_authentication.md",
        ),
        pytest.param(
            FMEX_SECRET, "https://api.testnet.fmex.com/v3/contracts/orders", 1571109222426,
            FMEX_BODY, "g6vFomL3T3pOhCugUNo/UcaLxTw=", id="en/_authentication.md",
        ),
        pytest.param(
            FCOIN_SECRET, "https://api.fcoin.com/v2/orders", 1523069544359, FCOIN_BODY,
            "DeP6oftldIrys06uq3B7Lkh3a0U=", id="fcoin: documents and SDK tests",
        ),
        pytest.param(
            FCOIN_SECRET, "https://api.testnet.fmex.com/orders", 1523069544359, FCOIN_BODY,
            "cylOzpWyTYPvBZWERwtPgLowSy0=", id="zh/_authentication.md, f86da34",
        ),
    ],
)  # fmt: skip
def test_documented_vector(secret: str, url: str, timestamp_ms: int, body: str, expected: str):
    """A documented request gets the documented signature."""
    assert expected == sign(secret, "POST", url, timestamp_ms, body)


@pytest.mark.parametrize(
    ("url", "timestamp_ms", "expected"),
    [
        ("https://api.fmex.com/v2/user/ws", 1579154149629, "4DCuq2I5gp1i8jIhov7JbN9GeVM="),
        ("https://api.fmex.com/v2/user/ws", 1579147466690, "YtFZhyfdNoFB7K75r3ENRotf/6o="),
        ("https://api.fmex.com/v2/user/ws", 1580802204227, "o2+gFYMOh/MxftoizuDLew6lOs4="),
        (f"{CONTRACTS}/accounts", 1579154149629, "8tkdwN55XIZs7gA18HFw5ycL4R4="),
        (
            f"{CONTRACTS}/orders/closed?limit=100&offsetId=0&range=202002&symbol=BTCUSD_P",
            1579154149629,
            "S4bsjxHPO5dp9WGeb5uzWyh/ooU=",
        ),
    ],
)
def test_computed_vector(url: str, timestamp_ms: int, expected: str):
    """A signed GET carries key, time and the signature over the method, URL and time."""
    headers = signed_headers(Key("the-key", FMEX_SECRET), url, timestamp_ms)

    assert {
        "FC-ACCESS-KEY": "the-key",
        "FC-ACCESS-SIGNATURE": expected,
        "FC-ACCESS-TIMESTAMP": str(timestamp_ms),
    } == headers


def test_signature_is_the_digest_of_sha1():
    """Twenty bytes in base64; the page's own sample has 21 and cannot be one."""
    assert len(base64.b64decode(sign(FMEX_SECRET, "GET", "https://api.fmex.com/", 1))) == 20


def test_query_is_signed_in_alphabetical_order():
    """Parameters are sorted, whatever order they were given in."""
    assert (
        url_with_query("https://XXX/orders", {"c": "value1", "b": "value2", "a": "value3"})
        == "https://XXX/orders?a=value3&b=value2&c=value1"
    )


def test_signature_in_the_stream_url_is_percent_encoded():
    """Plus, slash and equals sign survive a server that decodes the query as a form."""
    headers = signed_headers(
        Key("k", FMEX_SECRET), "https://api.fmex.com/v2/user/ws", 1580802204227
    )

    url = stream_url("wss://mirror.example/v2/user/ws?via=tokyo", headers)

    assert url.startswith("wss://mirror.example/v2/user/ws?via=tokyo&FC-ACCESS-KEY=k&")
    assert "FC-ACCESS-SIGNATURE=o2%2BgFYMOh%2FMxftoizuDLew6lOs4%3D" in url
    assert parse_qs(urlsplit(url).query)["FC-ACCESS-SIGNATURE"] == ["o2+gFYMOh/MxftoizuDLew6lOs4="]


def test_key_does_not_show_itself():
    """A key in a traceback's locals gives nothing away."""
    assert repr(Key("the-key", FMEX_SECRET)) == "Key(…)"
