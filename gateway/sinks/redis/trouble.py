"""Errors of the client library in our words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from coredis.exceptions import AuthenticationError, AuthorizationError, RedisError

from gateway.errors import SinkUnavailable

TEXT_CHARACTERS: Final = 300
"""As much of an error as a person needs."""


@contextmanager
def as_unavailable(clean: Callable[[str], str]) -> Iterator[None]:
    """Turn whatever Redis, the network or TLS did into `SinkUnavailable`."""
    try:
        yield
    except Exception as error:
        cause = _first_of(error)
        if isinstance(cause, RedisError | OSError):
            raise SinkUnavailable(clean(describe(cause))) from None
        raise


def describe(error: Exception) -> str:
    """What the server or the client said, without the command that it is about."""
    _, _, text = str(error).rpartition(" of pipeline caused error: ")
    if isinstance(error.__cause__, Exception):
        text += f": {_first_of(error.__cause__)}"  # TLS and the network give the reason here
    text = " ".join((text or type(error).__name__).split())[:TEXT_CHARACTERS]
    if isinstance(error, AuthenticationError | AuthorizationError):
        return f"{text} (look at `username` and `password`, and at what that user may do)"
    return text


def _first_of(error: Exception) -> Exception:
    # The client's own tasks report in groups.
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
