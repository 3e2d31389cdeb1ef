"""The configuration as JSON Schema, for editors and for other people's checks.

Built from the shapes that `reading` uses, with every installed venue and sink.
It is as strict as a schema can be; what only `gateway check` sees (names that
appear twice, streams of a venue, `defaults` that supply a required option) it
lets pass.
"""

from typing import Any

import msgspec

from gateway import registry
from gateway.config.docstrings import attribute_docs
from gateway.config.members import NAME
from gateway.config.settings import GatewaySettings
from gateway.config.shapes import (
    ChoiceShape,
    Field,
    ListShape,
    MapShape,
    ScalarShape,
    SecretShape,
    Shape,
    StructShape,
    UnionShape,
    fields_of,
    write_value,
)
from gateway.contracts.adapter import AccountOptions, VenueSpec
from gateway.contracts.sink import SinkOptions, SinkSpec
from gateway.errors import ConfigurationError

_Schema = dict[str, Any]

_SECRET_REFERENCE: _Schema = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        "env": {"type": "string", "description": "Name of an environment variable."},
        "file": {"type": "string", "description": "Path of a file that holds the secret."},
        "credential": {"type": "string", "description": "Name of a systemd credential."},
    },
}


def config_schema() -> _Schema:
    """JSON Schema (2020-12) of `gateway.yaml`."""
    venues = [spec for spec in map(_venue, registry.venue_names()) if spec is not None]
    sinks = [spec for spec in map(_sink, registry.sink_names()) if spec is not None]
    schema = _object(fields_of(GatewaySettings), required=True)
    schema["properties"] |= {
        "defaults": _defaults(venues),
        "accounts": _members("venue", AccountOptions, venues, required=False),
        "sinks": _members("type", SinkOptions, sinks, required=True),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gateway.yaml",
        **schema,
        "$defs": {"secret": {"anyOf": [{"type": "string", "minLength": 1}, _SECRET_REFERENCE]}},
    }


def _venue(name: str) -> VenueSpec | None:
    try:
        return registry.find_venue(name)
    except ConfigurationError:
        return None  # a broken package cannot be configured; `list venues` says so


def _sink(name: str) -> SinkSpec | None:
    try:
        return registry.find_sink(name)
    except ConfigurationError:
        return None


def _defaults(venues: list[VenueSpec]) -> _Schema:
    tables: dict[str, _Schema] = {}
    for spec in venues:
        fields = fields_of(AccountOptions, spec.settings)
        del fields["venue"]
        tables[spec.name] = _object(fields, required=False)
    return {
        "description": "Options by venue, for every account that does not set them.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": tables,
    }


def _members(
    key: str,
    options: type[msgspec.Struct],
    specs: list[Any],
    *,
    required: bool,
) -> _Schema:
    """A map of names, each entry strict according to its venue or type."""
    branches = [
        {
            "if": {"properties": {key: {"const": spec.name}}, "required": [key]},
            "then": _object(fields_of(options, spec.settings), required=required),
        }
        for spec in specs
    ]
    member = {
        "type": "object",
        "required": [key],
        "properties": {key: {"enum": [spec.name for spec in specs]}},
        "allOf": branches,
    }
    return {
        "type": ["object", "null"],
        "propertyNames": {"pattern": f"^{NAME.pattern}$"},
        "additionalProperties": member,
    }


def _object(fields: dict[str, Field], *, required: bool) -> _Schema:
    schema: _Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _field(field, required) for name, field in fields.items()},
    }
    needed = [name for name, field in fields.items() if field.required]
    if required and needed:
        schema["required"] = needed
    return schema


def _field(field: Field, required: bool) -> _Schema:
    schema = _shape(field.shape, required)
    meaning = attribute_docs(field.owner).get(field.attribute, "")
    notes = [meaning] if meaning else []
    if not field.required:
        notes.append(f"Default: {write_value(field.default)}")
    return {**schema, "description": "\n".join(notes)} if notes else schema


def _shape(shape: Shape, required: bool) -> _Schema:
    match shape:
        case ScalarShape():
            return {**shape.type.schema, **_bounds(shape)}
        case ChoiceShape():
            return {"enum": list(shape.values.values())}
        case SecretShape():
            return {"$ref": "#/$defs/secret"}
        case ListShape():
            return {"type": "array", "items": _shape(shape.item, required)}
        case MapShape():
            return {"type": "object", "additionalProperties": _shape(shape.value, required)}
        case StructShape():
            return _object(fields_of(shape.struct), required=required)
        case UnionShape():
            branches = [_shape(branch, required) for branch in shape.branches]
            return {"anyOf": [*branches, {"type": "null"}] if shape.nullable else branches}


def _bounds(shape: ScalarShape) -> _Schema:
    # Bounds of durations and sizes are numbers, but their notation is text.
    if shape.bounds is None or shape.type.schema["type"] not in ("integer", "number"):
        return {}
    named = {
        "minimum": shape.bounds.ge,
        "exclusiveMinimum": shape.bounds.gt,
        "maximum": shape.bounds.le,
        "exclusiveMaximum": shape.bounds.lt,
    }
    return {word: limit for word, limit in named.items() if limit is not None}
