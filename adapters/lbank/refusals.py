"""What LBank's refusals mean, and what a person can do about them.

REST refuses with a code; the socket with a sentence and no code. No documented
code means "stream key expired", so that is read from the place where it happens.
"""

import re
from typing import Final

from gateway.errors import (
    ClockSkewed,
    KeyExpired,
    LoginRefused,
    RateLimited,
    StreamError,
    SubscriptionRefused,
    VenueUnavailable,
)
from gateway.telemetry.redaction import MASK

LOGIN_WORDS: Final = {
    "10002": "validation failed; check api_key, secret and signature",
    "10005": "this API key does not exist; check api_key, or create a new key"
    " (one that is bound to no address lapses after 30 days)",
    "10006": "this user does not exist; check api_key",
    "10007": "wrong signature; check secret, and that `signature` is the method of this key",
    "10022": "this key may not be used from this address, or lacks the permission;"
    " check its address list and its rights",
    "10031": "it did not take our echostr; check endpoints.rest",
    "10067": "this account lacks the permission; check the key's rights",
    "10201": "api_key or sign did not arrive; check endpoints.rest",
    "10202": "it wants the signature of API v2; set endpoints.api to v2",
    "10203": "it does not know this signature method; check `signature`",
    "10205": "it does not serve this region; run the gateway from an allowed address",
}
"""[docs] Codes that stay until a person acts."""

CLOCK_CODE: Final = "10600"
"""[docs] Timestamp too far from LBank's clock. Checked first: nothing was done."""

RATE_CODE: Final = "10004"
"""[docs] Too frequent; it does not say how long to wait."""

SERVER_CODES: Final = frozenset({"10000", "10017", "10116", "10601"})
"""[docs] Internal error, server exception, upgrading, interface closed: ask again later."""

PAGE_SIZE_CODE: Final = "10018"
"""[docs] Page larger than 50, where the parameter's text allows 200."""

UNKNOWN_CALL: Final = "404"
"""Of HTTP, for a path that LBank does not serve: documents of different years differ."""

_RATE_PAUSE_SECONDS: Final = 10.0
"""[docs] Limits count over 10 s, so the count is fresh after as long."""

_ADDRESS: Final = re.compile(r"(?i)\bremoteIp is:?\s*\[?[0-9a-f.:]*[0-9a-f]\]?")
_KEY: Final = re.compile(r"(?i)key")
_OFTEN: Final = re.compile(r"(?i)frequent|too many|rate limit")


class Refused(VenueUnavailable):
    """LBank refused one request, by a code that says nothing about the login."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def without_address(text: str) -> str:
    """`text` without the caller's address, which LBank's error frames echo."""
    return _ADDRESS.sub(f"remoteIp is: {MASK}", text)


def refusal_by_code(path: str, code: str, words: str) -> StreamError:
    """The error for a refused REST request; `words` are LBank's own, free of secrets."""
    if code in LOGIN_WORDS:
        return LoginRefused(f"LBank says {code}: {LOGIN_WORDS[code]}", code=code)
    said = f"LBank says {code or 'no'}: {words}" if words else f"LBank says {code or 'no'}"
    if code == CLOCK_CODE:
        return ClockSkewed(f"{path}: {said}; the machine's clock is off")
    if code == RATE_CODE:
        return RateLimited(f"{path}: {said}", retry_after_seconds=_RATE_PAUSE_SECONDS)
    if code in SERVER_CODES:
        return VenueUnavailable(f"{path}: {said}")
    return Refused(f"{path}: {said}", code)


def refusal_by_words(words: str) -> StreamError:
    """The error for an error frame; `words` are free of secrets and addresses."""
    said = f"LBank says: {words}"
    if _OFTEN.search(words):
        return RateLimited(said, retry_after_seconds=_RATE_PAUSE_SECONDS)
    if _KEY.search(words):
        return KeyExpired(said)
    return SubscriptionRefused(said)
