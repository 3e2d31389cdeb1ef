"""`/openapi.json`, made from the routes themselves."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

import gateway
from gateway.admin.messages import JSON, PROBLEM, Reply, json_reply
from gateway.admin.model import ProblemView
from gateway.admin.routes import Call, Parameter, Route

ANY_REQUEST: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.MISDIRECTED_REQUEST,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
"""Errors that every route can answer with."""


class OpenApiAnswers:
    """The document about the routes that it is given, and about itself."""

    def __init__(self, routes: Sequence[Route], *, asks_token: bool) -> None:
        own = Route(
            method="GET",
            path="/openapi.json",
            summary="This document",
            answer=self._show,
            gives=JSON,
        )
        self._own = own
        self._document = document([*routes, own], asks_token=asks_token)

    def routes(self) -> list[Route]:
        """What this answers."""
        return [self._own]

    async def _show(self, _call: Call) -> Reply:
        return json_reply(self._document)


def document(routes: Sequence[Route], *, asks_token: bool) -> dict[str, Any]:
    """The OpenAPI 3.1 document of some routes, of a gateway with or without a token."""
    shapes = {shape for route in routes for shape in (route.gives, route.takes) if _is_shape(shape)}
    shapes.add(ProblemView)
    ordered = sorted(shapes, key=lambda shape: shape.__name__)
    schemas, components = msgspec.json.schema_components(
        ordered, ref_template="#/components/schemas/{name}"
    )
    named = dict(zip(ordered, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, named)
        if asks_token and not route.open_to_all:
            operation["security"] = [{"token": []}, {"session": []}]
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Exchange event gateway", "version": gateway.__version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "gateway_session"},
            },
        },
    }


def _is_shape(shape: Any) -> bool:
    return shape is not None and not isinstance(shape, str)


def _operation(route: Route, named: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "parameters": _path_parameters(route) + [_query(each) for each in route.parameters],
        "responses": _answers(route, named) | _problems(route, named),
        "security": [],
    }
    if route.takes is not None:
        content = {JSON: {"schema": named[route.takes]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation_id(route: Route) -> str:
    return "_".join([route.method.lower(), *re.findall(r"[a-z0-9]+", route.path)])


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        "schema": dict(parameter.schema),
    }


def _answers(route: Route, named: dict[Any, Any]) -> dict[str, Any]:
    content = (
        {JSON: {"schema": named[route.gives]}} if _is_shape(route.gives) else {route.gives: {}}
    )
    answers: dict[str, Any] = {"200": {"description": route.summary, "content": content}}
    if route.redirects:
        answers["303"] = {"description": "Go on at `Location`"}
    return answers


def _problems(route: Route, named: dict[Any, Any]) -> dict[str, Any]:
    statuses = {*ANY_REQUEST, *route.problems}
    if not route.open_to_all:
        statuses.add(HTTPStatus.UNAUTHORIZED)
    if route.method == "POST":
        statuses |= {HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    if route.takes is not None:
        statuses.add(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    content = {PROBLEM: {"schema": named[ProblemView]}}
    return {
        str(status.value): {"description": status.phrase, "content": content}
        for status in sorted(statuses)
    }
