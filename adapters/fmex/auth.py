"""FMEX's signatures. Pure: the time is an argument.

One algorithm serves REST and the WebSocket: HMAC-SHA1, keyed with the secret's
ASCII bytes, over the base64 of ``METHOD + URL + milliseconds + body``. For the
WebSocket the URL is the ``https://`` form *without* the query that carries the
result. See the vectors in `tests/adapters/fmex/test_auth.py`.
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec


class Key(msgspec.Struct, frozen=True):
    """A key pair, read. Never shown: its `repr` is empty."""

    api_key: str
    secret: str

    def __repr__(self) -> str:
        return "Key(…)"


def sign(secret: str, method: str, url: str, timestamp_ms: int, body: str = "") -> str:
    """The signature: 28 characters of base64. `url` has its query in alphabetical order."""
    text = b64encode(f"{method}{url}{timestamp_ms}{body}".encode())
    return b64encode(hmac.digest(secret.encode(), text, hashlib.sha1)).decode()


def signed_headers(key: Key, url: str, timestamp_ms: int) -> dict[str, str]:
    """The headers of a signed GET; the WebSocket carries them in its query."""
    return {
        "FC-ACCESS-KEY": key.api_key,
        "FC-ACCESS-SIGNATURE": sign(key.secret, "GET", url, timestamp_ms),
        "FC-ACCESS-TIMESTAMP": str(timestamp_ms),
    }


def url_with_query(url: str, params: Mapping[str, str]) -> str:
    """`url` with `params` in alphabetical order, as it has to be signed."""
    return f"{url}?{urlencode(sorted(params.items()))}" if params else url


def stream_url(url: str, headers: Mapping[str, str]) -> str:
    """The WebSocket's URL with what REST sends as headers; good for 30 s.

    The signature is percent-encoded: one in three contains a ``+``, which a
    server that decodes forms would read as a blank.
    """
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode(headers)]))
    return urlunsplit(parts._replace(query=query))
