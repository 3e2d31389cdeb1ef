"""Options as text for people: for `gateway explain` and the generated reference."""

from collections.abc import Iterator

import msgspec

from gateway.config.docstrings import attribute_docs
from gateway.config.mistakes import join
from gateway.config.settings import GatewaySettings
from gateway.config.shapes import (
    Field,
    ListShape,
    MapShape,
    ScalarShape,
    Shape,
    StructShape,
    UnionShape,
    fields_of,
    write_value,
)
from gateway.contracts.adapter import AccountOptions, VenueSpec
from gateway.contracts.sink import SinkOptions, SinkSpec


class Option(msgspec.Struct, frozen=True):
    """One option, explained."""

    path: str
    """Dotted, from the mapping that it stands in."""
    wants: str
    """Its type, in words."""
    default: str | None
    """As it would be written; None where the option must be given."""
    meaning: str


def gateway_options() -> list[Option]:
    """The top level of `gateway.yaml`, but for accounts and sinks."""
    return list(_options(fields_of(GatewaySettings)))


def account_options() -> list[Option]:
    """Options of every account."""
    return list(_options(fields_of(AccountOptions)))


def sink_options() -> list[Option]:
    """Options of every sink."""
    return list(_options(fields_of(SinkOptions)))


def own_options(spec: VenueSpec | SinkSpec) -> list[Option]:
    """What a venue or sink type adds."""
    return list(_options(fields_of(spec.settings)))


def _options(fields: dict[str, Field], path: str = "") -> Iterator[Option]:
    for name, field in fields.items():
        here = join(path, name)
        struct = nested_struct(field.shape)
        many = struct is not None and not isinstance(field.shape, StructShape | UnionShape)
        if struct is None or many or _nullable(field.shape):
            yield Option(here, wants(field), _default(field), _meaning(field))
        if struct is not None:
            yield from _options(fields_of(struct), f"{here}[]" if many else here)


def wants(field: Field) -> str:
    """The type of an option in words, with its bounds."""
    return ", ".join([field.shape.words, *_limits(field.shape)])


def nested_struct(shape: Shape) -> type[msgspec.Struct] | None:
    """The settings struct inside a shape, if there is one."""
    match shape:
        case StructShape():
            return shape.struct
        case ListShape():
            return nested_struct(shape.item)
        case MapShape():
            return nested_struct(shape.value)
        case UnionShape():
            found = (nested_struct(branch) for branch in shape.branches)
            return next((struct for struct in found if struct is not None), None)
        case _:
            return None


def _limits(shape: Shape) -> list[str]:
    match shape:
        case ScalarShape(bounds=msgspec.Meta() as bounds):
            named = (
                ("at least", bounds.ge),
                ("more than", bounds.gt),
                ("at most", bounds.le),
                ("less than", bounds.lt),
            )
            write = shape.type.write
            return [f"{words} {write(limit)}" for words, limit in named if limit is not None]
        case UnionShape(branches=(only,)):
            return _limits(only)
        case _:
            return []


def _nullable(shape: Shape) -> bool:
    return isinstance(shape, UnionShape) and shape.nullable


def _default(field: Field) -> str | None:
    return None if field.required else write_value(field.default)


def _meaning(field: Field) -> str:
    return attribute_docs(field.owner).get(field.attribute, "")
