"""Requests and replies, as handlers see them: no sockets, no h11."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from gateway.admin.model import ProblemView
from gateway.admin.outbox import Outbox
from gateway.telemetry.redaction import REDACTOR

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"

Headers = tuple[tuple[str, str], ...]


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is on the other end, and by which door they came."""

    address: str
    """For the log: `127.0.0.1:53122`, or `uid 1000` on a unix socket."""
    trusted: bool = False
    """True at `control.sock`, where the kernel told who it is."""
    local_host: str | None = None
    """Our own address on this connection."""
    secure: bool = False
    """True over TLS."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, read whole."""

    method: str
    path: str
    """Percent-decoded, without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""
    body: bytes = b""
    peer: Peer


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is ready."""

    status: int = HTTPStatus.OK
    body: bytes = b""
    content_type: str = JSON
    headers: Headers = ()


class Streaming(msgspec.Struct, frozen=True, kw_only=True):
    """An answer without an end; `produce` runs until the reader goes or is cut."""

    content_type: str
    produce: Callable[[Outbox], Awaitable[None]]


class Problem(Exception):
    """Raise it anywhere in a handler to answer with an error (RFC 9457).

    `detail` says what was wrong and where, `todo` what to do about it.
    """

    def __init__(
        self, status: HTTPStatus, detail: str, *, todo: str | None = None, headers: Headers = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.todo = todo
        self.headers = headers

    def reply(self) -> Reply:
        """The answer to send."""
        view = ProblemView(
            type="about:blank",
            title=self.status.phrase,
            status=self.status,
            detail=REDACTOR.redact(self.detail),  # it may quote what failed
            todo=self.todo,
        )
        return Reply(
            status=self.status,
            body=msgspec.json.encode(view),
            content_type=PROBLEM,
            headers=self.headers,
        )


def json_reply(value: object, status: int = HTTPStatus.OK) -> Reply:
    """An answer in JSON."""
    return Reply(status=status, body=msgspec.json.encode(value))
