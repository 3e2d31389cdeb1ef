"""Checks of FMEX's signatures, from its authentication chapter.

``base64(HMAC-SHA1(secret, base64(METHOD + URI + TIMESTAMP + BODY)))``; for the
socket the text is ``GET`` + the https address + the timestamp, without the query.
"""

import base64
import hashlib
import hmac
import json
from enum import IntEnum
from typing import Final
from urllib.parse import parse_qsl, unquote

from gateway.simulator.dialect import Request

SIGNED_HOST: Final = "https://api.fmex.com"
WINDOW_MS: Final = 30_000
"""How far a timestamp may be off (documented)."""
_NAMES: Final = ("FC-ACCESS-KEY", "FC-ACCESS-TIMESTAMP", "FC-ACCESS-SIGNATURE")


class LoginFault(IntEnum):
    """Why a login is refused; the numbers are those that clients name."""

    KEY_INVALID = 2020
    SIGNATURE_INVALID = 2111
    KEY_LACKS_PERMISSION = 3001
    TIMESTAMP_OUT_OF_RANGE = 6004


def sign(text: str, secret: str) -> str:
    """FMEX's signature of a prepared text."""
    digest = hmac.new(secret.encode(), base64.b64encode(text.encode()), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def read_query_login(request: Request, *, form: bool) -> tuple[str, str, str]:
    """Key, timestamp and signature of a socket's address; blanks where they are missing."""
    if form:
        query = dict(parse_qsl(request.raw_query, keep_blank_values=True))
    else:
        pairs = (pair.partition("=") for pair in request.raw_query.split("&"))
        query = {name: unquote(value) for name, _, value in pairs}
    key, timestamp, signature = (query.get(name, "") for name in _NAMES)
    return key, timestamp, signature


def read_header_login(request: Request) -> tuple[str, str, str]:
    """Key, timestamp and signature of a REST request."""
    key, timestamp, signature = (request.headers.get(name.lower(), "") for name in _NAMES)
    return key, timestamp, signature


def check_time(timestamp: str, now_ms: int) -> LoginFault | None:
    """Whether the client's clock is within the window."""
    if not timestamp.isdecimal() or abs(int(timestamp) - now_ms) > WINDOW_MS:
        return LoginFault.TIMESTAMP_OUT_OF_RANGE
    return None


def socket_texts(request: Request, timestamp: str) -> list[str]:
    """What may be signed for a socket: with the exchange's own host, or with ours."""
    return [f"GET{host}{request.path}{timestamp}" for host in _hosts(request)]


def rest_texts(request: Request, timestamp: str) -> list[str]:
    """What may be signed for a REST request.

    The query stands in alphabetical order; a JSON body as ``k=v`` pairs.
    """
    query = "&".join(sorted(request.raw_query.split("&"))) if request.raw_query else ""
    uri = request.path + (f"?{unquote(query)}" if query else "")
    tail = f"{uri}{timestamp}{_body_text(request.body)}"
    return [f"{request.method}{host}{tail}" for host in _hosts(request)]


def _hosts(request: Request) -> tuple[str, str]:
    """A client that talks to a mirror may sign the mirror's address or the true one."""
    return SIGNED_HOST, f"http://{request.headers.get('host', '')}"


def _body_text(body: bytes) -> str:
    if not body:
        return ""
    try:
        # Numbers keep the digits in which they were signed.
        fields = json.loads(body, parse_float=str, parse_int=str)
    except ValueError:
        return ""
    if not isinstance(fields, dict):
        return ""
    return "&".join(f"{name}={_plain(fields[name])}" for name in sorted(fields))


def _plain(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)
