"""A tree from a file + the shapes of its options → settings, or mistakes.

`read_fields` is the way in. Nothing here raises for bad input: each mistake goes
to the `Report`, and what could not be read is `FAILED`.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any, Final

import msgspec

from gateway.config.document import Broken, Entry, Items, Node, Table, Text
from gateway.config.mistakes import Place, Report, join
from gateway.config.scalars import Misread
from gateway.config.secrets import read_secret
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
)
from gateway.registry import did_you_mean

_KEY: Final = re.compile(r"[^.\[\]]+")


class _Failed(Enum):
    FAILED = auto()


FAILED: Final = _Failed.FAILED
"""In place of a value that could not be read; the mistake is in the report."""


class Reader:
    """Reads values of any shape. `partial` asks for no required options."""

    def __init__(self, report: Report, *, partial: bool = False) -> None:
        self._report = report
        self._partial = partial

    def read_fields(
        self, fields: Mapping[str, Field], table: Table, path: str, skip: Iterable[str] = ()
    ) -> dict[str, Any]:
        """The value of each option by name, defaults filled in; `FAILED` where misread.

        Keys in `skip` are known but read elsewhere.
        """
        known = [*fields, *skip]
        for key, entry in table.entries.items():
            if key not in known:
                hint = did_you_mean(key, known)
                self._report.mistake(entry.place, join(path, key), "unknown key", hint)
        return {
            name: self._read_field(field, table, join(path, name)) for name, field in fields.items()
        }

    def read_struct(self, struct: type[msgspec.Struct], table: Table, path: str) -> Any:
        """An instance of `struct`, or `FAILED`."""
        values = self.read_fields(fields_of(struct), table, path)
        return self.build(struct, values, table, path)

    def build(
        self, struct: type[msgspec.Struct], values: Mapping[str, Any], table: Table, path: str
    ) -> Any:
        """`struct` made of values already read, after its own checks; or `FAILED`."""
        own = {
            field.attribute: values[name]
            for name, field in fields_of(struct).items()
            if field.owner is struct and name in values
        }
        if FAILED in own.values():
            return FAILED
        try:
            settings = struct(**own)
        except (TypeError, ValueError) as error:  # a struct may check itself in __post_init__
            self._report.mistake(table.place, path, str(error))
            return FAILED
        return FAILED if self._has_problems(settings, table, path) else settings

    def read(self, shape: Shape, node: Node, path: str) -> Any:
        """A value of `shape`, or `FAILED`."""
        match shape:
            case _ if isinstance(node, Broken):
                return FAILED
            case SecretShape():
                secret = read_secret(node, path, self._report)
                return FAILED if secret is None else secret
            case UnionShape():
                return self._read_union(shape, node, path)
            case ScalarShape() if isinstance(node, Text):
                return self._read_scalar(shape, node, path)
            case ChoiceShape() if isinstance(node, Text):
                return self._read_choice(shape, node, path)
            case ListShape() if isinstance(node, Items):
                return self._read_list(shape, node, path)
            case MapShape() | StructShape() if (table := as_table(node)) is not None:
                return self._read_table(shape, table, path)
            case _:
                hint = "write it in brackets: […]" if isinstance(shape, ListShape) else None
                return self._expected(shape, node.place, path, hint)

    def _read_field(self, field: Field, table: Table, path: str) -> Any:
        entry = table.entries.get(field.name)
        if entry is not None:
            return self.read(field.shape, entry.value, path)
        if not field.required:
            return field.default
        if not self._partial:
            self._report.mistake(table.place, path, f"missing: expected {field.shape.words}")
        return FAILED

    def _read_scalar(self, shape: ScalarShape, node: Text, path: str) -> Any:
        try:
            value = shape.type.parse(node)
        except Misread as misread:
            return self._expected(shape, node.place, path, misread.hint)
        return value if self._within(shape, value, node.place, path) else FAILED

    def _read_choice(self, shape: ChoiceShape, node: Text, path: str) -> Any:
        if node.text in shape.values and not node.is_null:
            return shape.values[node.text]
        return self._expected(shape, node.place, path, did_you_mean(node.text, shape.values))

    def _read_list(self, shape: ListShape, node: Items, path: str) -> Any:
        values = [
            self.read(shape.item, item, f"{path}[{index}]") for index, item in enumerate(node.items)
        ]
        if FAILED in values or not self._within(shape, values, node.place, path):
            return FAILED
        return shape.make(values)

    def _read_table(self, shape: MapShape | StructShape, table: Table, path: str) -> Any:
        if isinstance(shape, StructShape):
            return self.read_struct(shape.struct, table, path)
        values = {
            key: self.read(shape.value, entry.value, join(path, key))
            for key, entry in table.entries.items()
        }
        return FAILED if FAILED in values.values() else values

    def _read_union(self, shape: UnionShape, node: Node, path: str) -> Any:
        if shape.nullable and isinstance(node, Text) and node.is_null:
            return None
        if len(shape.branches) == 1:
            return self.read(shape.branches[0], node, path)
        fitting = [branch for branch in shape.branches if _fits(branch, node)]
        for branch in fitting:
            trial = Report()
            value = Reader(trial, partial=self._partial).read(branch, node, path)
            if not trial.mistakes:
                return value
        if fitting and not isinstance(fitting[-1], ChoiceShape):
            return self.read(fitting[-1], node, path)
        return self._expected(shape, node.place, path)

    def _within(self, shape: ScalarShape | ListShape, value: Any, place: Place, path: str) -> bool:
        broken = shape.broken_bound(value)
        if broken is not None:
            self._report.mistake(place, path, broken)
        return broken is None

    def _expected(self, shape: Shape, place: Place, path: str, hint: str | None = None) -> Any:
        self._report.mistake(place, path, f"expected {shape.words}", hint)
        return FAILED

    def _has_problems(self, settings: msgspec.Struct, table: Table, path: str) -> bool:
        """Ask the struct's own `problems`, which tells what types cannot."""
        check = getattr(settings, "problems", None)
        found = list(check()) if callable(check) else []
        for keys, message in found:
            place = find_place(table, keys)
            self._report.mistake(
                place, f"{path}.{keys}" if path and keys else path or keys, message
            )
        return bool(found)


def as_table(node: Node) -> Table | None:
    """A table, also from a key with nothing under it (everything commented out)."""
    if isinstance(node, Text) and node.plain and node.text == "":
        return Table({}, node.place)
    return node if isinstance(node, Table) else None


def find_place(table: Table, keys: str) -> Place:
    """Where the option `keys` (dotted, ``[0]`` for items) stands, or its nearest parent."""
    node: Node = table
    place = table.place
    for key in _KEY.findall(keys):
        match node:
            case Table() if key in node.entries:
                entry: Entry = node.entries[key]
                place, node = entry.place, entry.value
            case Items() if key.isdigit() and int(key) < len(node.items):
                node = node.items[int(key)]
                place = node.place
            case _:
                break
    return place


def merged(fields: Mapping[str, Field], over: Table, under: Table) -> Table:
    """`over`, with what only `under` tells; nested options are merged, all else replaced."""
    entries = dict(over.entries)
    for key, entry in under.entries.items():
        mine = entries.get(key)
        if mine is None:
            entries[key] = entry
        elif key in fields:
            value = _merged_value(fields[key].shape, mine.value, entry.value)
            entries[key] = Entry(mine.place, value)
    return Table(entries, over.place)


def _merged_value(shape: Shape, over: Node, under: Node) -> Node:
    match shape:
        case UnionShape(branches=(StructShape() as only,)):
            shape = only
    if not isinstance(over, Table) or not isinstance(under, Table):
        return over
    if isinstance(shape, StructShape):
        return merged(fields_of(shape.struct), over, under)
    return (
        Table({**under.entries, **over.entries}, over.place)
        if isinstance(shape, MapShape)
        else over
    )


def _fits(shape: Shape, node: Node) -> bool:
    """Whether the node has the outer form of the shape."""
    match shape:
        case ScalarShape() | ChoiceShape():
            return isinstance(node, Text)
        case ListShape():
            return isinstance(node, Items)
        case MapShape() | StructShape():
            return as_table(node) is not None
        case SecretShape():
            return not isinstance(node, Items)
        case _:
            return True
