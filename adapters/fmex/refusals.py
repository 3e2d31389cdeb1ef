"""FMEX's status codes, as errors whose words a person can act on.

No complete list exists. These come from the documents of FMEX and of its parent
exchange FCoin, and from clients that met them; `adapters/fmex/__init__.py` names
the sources.
"""

from typing import Any, Final

import msgspec

from gateway.errors import (
    ClockSkewed,
    LoginRefused,
    RateLimited,
    StreamError,
    SubscriptionRefused,
    VenueUnavailable,
)

_EXCERPT_CHARACTERS: Final = 200

_LOGIN: Final = {
    1090: "the signature is wrong: check that the secret belongs to this key",
    2020: "the API key is not valid: check it, or make a new one",
    2111: "the signature is wrong: check that the secret belongs to this key",
    2136: "the API key has expired: make a new one",
    3001: "the API key lacks the right to do this: give it reading rights",
    6005: "the API key was refused: check key, secret and allowed addresses",
}
CLOCK: Final = 6004
SYSTEM_BUSY: Final = 1002
ORDER_NOT_FOUND: Final = 1797
BAD_TOPIC: Final = 41002

_HTTP_STATUSES: Final = range(400, 600)
"""A body may repeat its HTTP status where a code should stand."""
_HTTP_LOGIN: Final = {
    400: "the request was refused: check key, secret and `endpoints.sign`",
    401: "key, signature or time were refused: check key, secret and `endpoints.sign`",
    403: "access was refused: check the key's rights and allowed addresses",
}
"""Of a refused upgrade, where the answer has no code."""


class NotFound(VenueUnavailable):
    """The path or order does not exist. Callers that can go on without it catch this."""


class Complaint(msgspec.Struct, frozen=True, gc=False):
    """The body of an error: on the socket, in REST, in a refused upgrade."""

    status: int
    msg: Any = None


def error_of_code(code: int, message: str) -> StreamError:
    """The error behind a code; `message` is the venue's own, free of secrets."""
    code, message = _innermost(code, message)
    if code in _HTTP_STATUSES:
        return error_of_http(code)
    told = f"FMEX says {code}" + (f" ({message[:_EXCERPT_CHARACTERS]})" if message else "")
    if code in _LOGIN:
        return LoginRefused(f"{told}: {_LOGIN[code]}", code=str(code))
    if code == CLOCK:
        return ClockSkewed(f"{told}: our time is more than 30 s off the venue's")
    if code == ORDER_NOT_FOUND:
        return NotFound(f"{told}: no such order")
    if code == BAD_TOPIC:
        return SubscriptionRefused(f"{told}: a topic was refused; check `symbols`")
    return VenueUnavailable(told)


def error_of_http(status: int) -> StreamError:
    """The error behind an answer that has no code of FMEX's."""
    match status:
        case 401 | 403:
            return LoginRefused(f"FMEX answers HTTP {status}: {_HTTP_LOGIN[status]}")
        case 404:
            return NotFound("FMEX answers HTTP 404: no such path or order")
        case 426 | 429:  # a client saw 426 for too many calls
            return RateLimited(f"FMEX answers HTTP {status}: too many requests")
        case _:
            return VenueUnavailable(f"FMEX answers HTTP {status} with something else than its JSON")


def error_of_upgrade(status: int, body: str) -> StreamError | None:
    """The error behind a refused upgrade; None where it says nothing about the login."""
    complaint = _read_complaint(body)
    if complaint is not None:
        return error_of_code(complaint.status, str(complaint.msg or ""))
    if status in _HTTP_LOGIN:
        return LoginRefused(f"FMEX refuses the stream by HTTP {status}: {_HTTP_LOGIN[status]}")
    return error_of_http(status) if status == 426 else None


def _innermost(code: int, message: str) -> tuple[int, str]:
    """6005 carries the true cause as JSON inside its message."""
    nested = _read_complaint(message)
    return (code, message) if nested is None else (nested.status, str(nested.msg or ""))


def _read_complaint(text: str) -> Complaint | None:
    try:
        complaint = msgspec.json.decode(text, type=Complaint, strict=False)
    except (ValueError, RecursionError):
        return None
    return complaint if complaint.status else None
