"""The event schema 1.0 as JSON Schema, made from the model.

A consumer's check passes on events of a later minor version too: fields may be
added, so unknown ones are allowed.
"""

import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from gateway.events.model import BODY_TYPES, SCHEMA_VERSION, Body, Kind, Origin
from gateway.events.numbers import PlainDecimal
from gateway.events.times import Timestamp

_Schema = dict[str, Any]
_Docs = Callable[[type], Mapping[str, str]]

_NAMED: Final[dict[Any, str]] = {PlainDecimal: "decimal", Timestamp: "time"}
_BASIC: Final[dict[Any, str]] = {str: "string", bool: "boolean", int: "integer"}

_DEFINITIONS: Final[_Schema] = {
    "decimal": {
        "description": "A plain decimal number with all digits that the venue sent.",
        "type": "string",
        "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
    },
    "time": {
        "description": "RFC 3339, UTC: milliseconds from a venue, microseconds from the gateway.",
        "type": "string",
        "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.([0-9]{3}){1,2}Z$",
    },
}


def event_schema(docs: _Docs = lambda _: {}) -> _Schema:
    """JSON Schema (2020-12) of a native event; `docs` tells the meaning of a class's fields."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Gateway event, schema {SCHEMA_VERSION}",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": [kind.value for kind in Kind]}},
        "oneOf": [{"$ref": f"#/$defs/{kind}_event"} for kind in Kind],
        "$defs": _DEFINITIONS
        | {f"{kind}_event": _event(kind) for kind in Kind}
        | {kind.value: _body(body, docs) for kind, body in BODY_TYPES.items()},
    }


def _event(kind: Kind) -> _Schema:
    properties: _Schema = {
        "schema": {"type": "string", "pattern": r"^1\.[0-9]+$"},
        "id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "seq": {"type": "integer", "minimum": 1},
        "kind": {"const": kind.value},
        "account": {"type": "string"},
        "venue": {"type": "string"},
        "symbol": {"type": ["string", "null"]},
        "venue_symbol": {"type": ["string", "null"]},
        "origin": {"enum": [origin.value for origin in Origin]},
        "venue_time": {"anyOf": [{"$ref": "#/$defs/time"}, {"type": "null"}]},
        "received_time": {"$ref": "#/$defs/time"},
        kind.value: {"$ref": f"#/$defs/{kind}"},
    }
    required = list(properties)
    # Only in a sink with `include_raw: true`.
    properties["raw"] = {"type": ["string", "null"]}
    return {"type": "object", "required": required, "properties": properties}


def _body(body: type[Body], docs: _Docs) -> _Schema:
    hints = typing.get_type_hints(body)
    meanings = docs(body)
    properties = {
        name: _described(_type(hints[name]), meanings.get(name)) for name in body.__struct_fields__
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _described(schema: _Schema, meaning: str | None) -> _Schema:
    return schema if meaning is None else {**schema, "description": meaning}


def _type(hint: Any) -> _Schema:
    if hint in _NAMED:
        return {"$ref": f"#/$defs/{_NAMED[hint]}"}
    if hint in _BASIC:
        return {"type": _BASIC[hint]}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [member.value for member in hint]}
    inner = [_type(one) for one in typing.get_args(hint) if one is not types.NoneType]
    return {"anyOf": [*inner, {"type": "null"}]}
