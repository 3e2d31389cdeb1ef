"""What a settings field wants, read from its annotation.

One small vocabulary of shapes, so that reading, the JSON Schema and the
reference never disagree about what is allowed. A settings struct may use:
text, numbers, booleans, `Seconds`, `Bytes`, `PlainDecimal`, `Path`, `Secret`,
enums, `Literal`, nested structs, ``tuple[X, ...]``, ``dict[str, X]``, unions of
these, `None`, and ``Annotated[…, msgspec.Meta(ge=…)]``.
"""

import re
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import NODEFAULT, UNSET

from gateway.config.scalars import SCALARS, ScalarType, write_bytes, write_seconds
from gateway.contracts.values import Bytes, Seconds, Secret


class ScalarShape(msgspec.Struct, frozen=True):
    """One piece of text, perhaps within bounds."""

    type: ScalarType
    bounds: msgspec.Meta | None = None

    @property
    def words(self) -> str:
        """After "expected"."""
        return self.type.words

    def broken_bound(self, value: Any) -> str | None:
        """What is wrong with a value out of bounds."""
        return None if self.bounds is None else _broken(self.bounds, value, self.type.write)


class ChoiceShape(msgspec.Struct, frozen=True):
    """One of a few words."""

    values: dict[str, Any]
    """By the word as written."""

    @property
    def words(self) -> str:
        """After "expected"."""
        return either(self.values)


class SecretShape(msgspec.Struct, frozen=True):
    """A reference to a secret, or the secret itself."""

    words: str = "a secret: {env: NAME}, {file: PATH} or {credential: NAME}"


class ListShape(msgspec.Struct, frozen=True):
    """A list of one shape."""

    item: "Shape"
    make: Any
    """`tuple` or `list`."""
    bounds: msgspec.Meta | None = None

    @property
    def words(self) -> str:
        """After "expected"."""
        return f"a list of {_plural(self.item)}"

    def broken_bound(self, values: Any) -> str | None:
        """What is wrong with a list that is too short or too long."""
        return None if self.bounds is None else _broken(self.bounds, values, str)


class MapShape(msgspec.Struct, frozen=True):
    """Free names, each with a value of one shape."""

    value: "Shape"
    words: str = "a mapping of names to values"


class StructShape(msgspec.Struct, frozen=True):
    """A nested settings struct."""

    struct: type[msgspec.Struct]
    words: str = "a mapping of options"


class UnionShape(msgspec.Struct, frozen=True):
    """Any of several shapes; `nullable` when null is one of them."""

    branches: tuple["Shape", ...]
    nullable: bool

    @property
    def words(self) -> str:
        """After "expected"."""
        words = [branch.words for branch in self.branches]
        return either([*words, "null"] if self.nullable and len(words) > 1 else words)


Shape = ScalarShape | ChoiceShape | SecretShape | ListShape | MapShape | StructShape | UnionShape


class Field(msgspec.Struct, frozen=True):
    """One option of a settings struct."""

    name: str
    """As in the file."""
    attribute: str
    """As in the struct."""
    owner: type[msgspec.Struct]
    shape: Shape
    default: Any = UNSET
    """UNSET for an option that must be given."""

    @property
    def required(self) -> bool:
        """True when there is no default."""
        return self.default is UNSET


def fields_of(*structs: type[msgspec.Struct]) -> dict[str, Field]:
    """The options of one struct, or of several that share a mapping."""
    return {
        info.encode_name: Field(
            name=info.encode_name,
            attribute=info.name,
            owner=struct,
            shape=shape_of(info.type),
            default=_default(info),
        )
        for struct in structs
        for info in msgspec.structs.fields(struct)
    }


def shape_of(annotation: Any) -> Shape:
    """The shape that an annotation asks for. Raises `TypeError` for one we cannot read."""
    bounds = None
    if typing.get_origin(annotation) is Annotated:
        annotation, *extras = typing.get_args(annotation)
        bounds = next((extra for extra in extras if isinstance(extra, msgspec.Meta)), None)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in SCALARS:
        return ScalarShape(SCALARS[annotation], bounds)
    if annotation is Secret:
        return SecretShape()
    if origin is Literal:
        return ChoiceShape({str(value): value for value in arguments})
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin in (tuple, list):
        return ListShape(shape_of(arguments[0]), origin, bounds)
    if origin is dict:
        return MapShape(shape_of(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ChoiceShape({str(member.value): member for member in annotation})
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return StructShape(annotation)
    raise TypeError(f"settings cannot hold {annotation!r}: see gateway.config.shapes")


def either(words: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def write_value(value: Any) -> str:
    """A default as it would stand in the file."""
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case Enum():
            return str(value.value)
        case Seconds():
            return write_seconds(value)
        case Bytes():
            return write_bytes(value)
        case tuple() | list():
            return f"[{', '.join(write_value(item) for item in value)}]"
        case dict():
            inner = ", ".join(f"{key}: {write_value(item)}" for key, item in value.items())
            return f"{{{inner}}}"
        case msgspec.Struct():
            return write_value(
                {
                    info.encode_name: getattr(value, info.name)
                    for info in msgspec.structs.fields(type(value))
                }
            )
        case _:
            return str(value)


def _plural(shape: Shape) -> str:
    match shape:
        case ChoiceShape() | ScalarShape(type=ScalarType(words="text")):
            return shape.words
        case SecretShape():
            return "secrets"
        case _:
            return "values"


def _broken(bounds: msgspec.Meta, value: Any, write: Callable[[Any], str]) -> str | None:
    size = len(value) if isinstance(value, str | list) else 0
    unit = "characters" if isinstance(value, str) else "items"
    checks: tuple[tuple[Any, Callable[[Any], Any], str], ...] = (
        (bounds.ge, lambda limit: value >= limit, f"must be at least {write(bounds.ge or 0)}"),
        (bounds.gt, lambda limit: value > limit, f"must be more than {write(bounds.gt or 0)}"),
        (bounds.le, lambda limit: value <= limit, f"must be at most {write(bounds.le or 0)}"),
        (bounds.lt, lambda limit: value < limit, f"must be less than {write(bounds.lt or 0)}"),
        (bounds.pattern, lambda limit: re.search(limit, value), f"must match {bounds.pattern}"),
        (
            bounds.min_length,
            lambda limit: size >= limit,
            f"needs at least {bounds.min_length} {unit}",
        ),
        (
            bounds.max_length,
            lambda limit: size <= limit,
            f"must be at most {bounds.max_length} {unit}",
        ),
    )
    broken = (words for limit, holds, words in checks if limit is not None and not holds(limit))
    return next(broken, None)


def _union(arguments: Sequence[Any]) -> Shape:
    branches = tuple(shape_of(one) for one in arguments if one is not types.NoneType)
    return UnionShape(branches, nullable=types.NoneType in arguments)


def _default(info: Any) -> Any:
    if info.default_factory is not NODEFAULT:
        return info.default_factory()
    return UNSET if info.default is NODEFAULT else info.default
