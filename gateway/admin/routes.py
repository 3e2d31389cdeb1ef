"""What can be asked: the shape of a route, and finding the one that is meant.

The same routes make the OpenAPI document, so the two cannot disagree.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from difflib import get_close_matches
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec

from gateway.admin.messages import JSON, Problem, Reply, Request, Streaming

Body = TypeVar("Body")

LARGEST: Final = 2**63 - 1
"""Of a seq or another number that SQLite keeps."""

READING: Final = frozenset({"GET", "HEAD"})


def _number(text: str) -> float:
    """JSON knows one kind of number: 7.0 is the whole number 7, as its schema says."""
    number = float(text)
    return int(number) if number.is_integer() else number


_DECODE: Final = msgspec.json.Decoder(float_hook=_number).decode


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A query parameter."""

    name: str
    meaning: str
    schema: Mapping[str, Any] = msgspec.field(default_factory=lambda: {"type": "string"})


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request that found its route."""

    request: Request
    names: Mapping[str, str]
    """What stood in place of the braces in the route's path."""

    def integer(self, name: str, default: int, *, low: int = 0, high: int = LARGEST) -> int:
        """A query parameter that is a whole number within bounds."""
        text = self.request.query.get(name)
        if text is None:
            return default
        if (
            text.isascii()
            and text.isdigit()
            and len(text) <= len(str(LARGEST))
            and low <= int(text) <= high
        ):
            return int(text)
        raise Problem(
            HTTPStatus.BAD_REQUEST, f"{name}: expected a whole number from {low} to {high}"
        )

    def words(self, name: str) -> frozenset[str] | None:
        """A query parameter that lists words, separated by commas; None when absent."""
        text = self.request.query.get(name)
        return None if not text else frozenset(text.split(","))

    def body(self, shape: type[Body]) -> Body:
        """The JSON body. None at all is no body: orders are too serious for defaults."""
        if not _says_json(self.request.headers.get("content-type", "")):
            raise Problem(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "the body is not declared as JSON",
                todo=f"Send it with Content-Type: {JSON}.",
            )
        try:
            return msgspec.convert(_DECODE(self.request.body), type=shape)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Problem(HTTPStatus.BAD_REQUEST, f"body: {error}") from None


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be asked."""

    method: str
    path: str
    """With names in braces: ``/api/v1/accounts/{name}``."""
    summary: str
    answer: Callable[[Call], Awaitable[Reply | Streaming]]
    gives: Any
    """The type of the JSON answer, or a media type."""
    takes: Any = None
    """The type of the JSON body, if it takes one."""
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[HTTPStatus, ...] = ()
    """Errors of its own, beside those that any request can meet."""
    redirects: bool = False
    """May answer 303 instead."""
    open_to_all: bool = False
    """Answered without the token: probes and the login."""


class Router:
    """Finds the route of a request."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes: Final = tuple(routes)
        self._split = [(route, route.path.split("/")) for route in self.routes]

    def find(self, request: Request) -> tuple[Route, Call]:
        """The route and its names. Raises `Problem` 404, 405 or 400."""
        here = self._at(request.path)
        if not here:
            raise self._not_found(request.path)
        method = "GET" if request.method == "HEAD" else request.method
        for route, names in here:
            if route.method == method:
                _refuse_unknown_parameters(route, request)
                return route, Call(request=request, names=names)
        allowed = ", ".join(sorted(route.method for route, _ in here))
        raise Problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"{request.path} answers {allowed}",
            headers=(("allow", allowed),),
        )

    def _at(self, path: str) -> list[tuple[Route, dict[str, str]]]:
        parts = path.split("/")
        found = [
            (route, names)
            for route, template in self._split
            if (names := _match(template, parts)) is not None
        ]
        # `…/dead-letters/drop` is itself, not the letter of that number.
        return [(route, names) for route, names in found if not names] or found

    def _not_found(self, path: str) -> Problem:
        near = get_close_matches(path, [route.path for route in self.routes], n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        return Problem(
            HTTPStatus.NOT_FOUND,
            f"nothing is served at {path[:200]}",
            todo=f"{hint}All paths are listed at /openapi.json.",
        )


def _match(template: Sequence[str], parts: Sequence[str]) -> dict[str, str] | None:
    if len(template) != len(parts):
        return None
    names = {}
    for expected, part in zip(template, parts, strict=True):
        if expected.startswith("{") and part:
            names[expected[1:-1]] = part
        elif expected != part:
            return None
    return names


def _refuse_unknown_parameters(route: Route, request: Request) -> None:
    known = [parameter.name for parameter in route.parameters]
    for name in request.query:
        if name not in known:
            raise Problem(
                HTTPStatus.BAD_REQUEST,
                f"unknown query parameter {name[:40]!r}",
                todo=f"Known here: {', '.join(known) or 'none'}.",
            )


def _says_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == JSON
