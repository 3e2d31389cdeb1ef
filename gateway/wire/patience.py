"""What a peer says about when to come back, in answers to requests and to upgrades alike."""

import email.utils
from typing import Final

ASKING_LESS: Final = frozenset({418, 429})
"""Too Many Requests; 418 is what several venues answer to a banned address."""
_UNAVAILABLE: Final = 503
"""Names a time only sometimes; without one it is trouble like any other."""
_LONGEST_WAIT_SECONDS: Final = 86_400.0
"""A `Retry-After` beyond a day is a mistake, and must not silence an account for years."""


def asks_for_patience(status: int, retry_after: str) -> bool:
    """Whether an HTTP answer says 'not now' rather than 'no'."""
    return status in ASKING_LESS or (status == _UNAVAILABLE and retry_after != "")


def read_retry_after(value: str, now_ns: int) -> float | None:
    """Seconds to wait by a ``Retry-After``, which has two forms; None where it says nothing."""
    try:
        seconds = float(value)  # "nan" falls to the upper bound below
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = until.timestamp() - now_ns / 1e9
    return max(min(_LONGEST_WAIT_SECONDS, seconds), 0.0)
