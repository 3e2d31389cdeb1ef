"""Verdicts without secrets: peers quote passwords and tokens in what they answer."""

from collections.abc import Callable

import msgspec

from gateway.contracts.sink import Later, Refused, Verdict


def redacted(verdict: Verdict, redact: Callable[[str], str]) -> Verdict:
    """The same verdict, its words redacted."""
    match verdict:
        case Later(reason=reason):
            return msgspec.structs.replace(verdict, reason=redact(reason))
        case Refused(excerpt=excerpt):
            return msgspec.structs.replace(verdict, excerpt=redact(excerpt))
        case _:
            return verdict
