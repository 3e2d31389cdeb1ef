"""YAML text → a tree that knows where each piece stands.

YAML is used for its notation only. Values stay text as written until a field's
type says what is wanted, so that YAML 1.1's guesses (``no`` is false, ``010`` is
8, ``12:30`` is 750) never happen. Duplicate keys, aliases, tags and second
documents are mistakes.

Built on PyYAML's events and not on its nodes: its composer resolves aliases (also
recursive ones) and recurses as deep as the text nests.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from gateway.config.mistakes import Place, Report, join

MAX_FILE_BYTES: Final = 32 * 1024 * 1024
"""A thousand accounts take about 1 MiB; more than this is some other file."""

MAX_DEPTH: Final = 20
"""Our deepest option lies at depth 6."""

_HOW_TO_BEGIN: Final = (
    "name another file by -c; `gateway explain lbank` or `fmex` shows a first configuration,"
    " and `gateway demo` needs none"
)

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C is 10 times faster
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TEXT_TAG: Final = "tag:yaml.org,2002:str"


class Text(msgspec.Struct, frozen=True):
    """A scalar, as written."""

    text: str
    plain: bool
    """False when quoted, and so certainly meant as text."""
    place: Place

    @property
    def is_null(self) -> bool:
        """True for nothing, ``~`` and ``null``."""
        return self.plain and self.text in _NULLS


class Items(msgspec.Struct, frozen=True):
    """A list."""

    items: tuple["Node", ...]
    place: Place


class Entry(msgspec.Struct, frozen=True):
    """One key of a table, and what stands under it."""

    place: Place
    """Of the key."""
    value: "Node"


class Table(msgspec.Struct, frozen=True):
    """A mapping."""

    entries: dict[str, Entry]
    place: Place


class Broken(msgspec.Struct, frozen=True):
    """What stands here was already reported as a mistake."""

    place: Place


Node = Text | Items | Table | Broken


def read_document(path: Path, report: Report) -> Table | None:
    """Read one file; None after a mistake that leaves nothing to look at."""
    start = Place(str(path))
    text = _read_text(path, start, report)
    if text is None:
        return None
    try:
        root = _Composer(text, start.file, report).compose()
    except yaml.YAMLError as error:
        place, message = _explain(error, text, start)
        hint = "indent with spaces" if _has_tab(text, place.line) else None
        report.mistake(place, "", f"not valid YAML: {message}", hint)
        return None
    if isinstance(root, Text) and root.is_null:
        report.mistake(start, "", "the file is empty")
    elif not isinstance(root, Table | Broken):
        report.mistake(root.place, "", "expected keys and values, as in accounts: …")
    return root if isinstance(root, Table) else None


def _read_text(path: Path, start: Place, report: Report) -> str | None:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        hint = _HOW_TO_BEGIN if isinstance(error, FileNotFoundError) else None
        report.mistake(start, "", f"cannot be read: {reason}", hint)
        return None
    if len(data) > MAX_FILE_BYTES:
        report.mistake(start, "", f"larger than {MAX_FILE_BYTES} bytes: not a configuration")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = _at_offset(start, data, error.start)
        report.mistake(place, "", "not UTF-8 text", "save the file in UTF-8")
        return None


def _explain(error: yaml.YAMLError, text: str, start: Place) -> tuple[Place, str]:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = _place(start.file, mark) if mark is not None else start
        return place, error.problem or error.context or "cannot be parsed"
    offset = getattr(error, "position", 0)
    return _at_offset(start, text.encode(), offset), "a character that YAML does not allow"


def _has_tab(text: str, line: int) -> bool:
    lines = text.split("\n")[line - 1 : line]
    return any(one.lstrip(" ").startswith("\t") for one in lines)


def _at_offset(start: Place, data: bytes, offset: int) -> Place:
    before = data[:offset]
    line_start = before.rfind(b"\n") + 1
    column = len(before[line_start:].decode("utf-8", "replace")) + 1
    return Place(start.file, before.count(b"\n") + 1, column)


def _place(file: str, mark: Any) -> Place:
    return Place(file, mark.line + 1, mark.column + 1)


class _Composer:
    """Turns parse events into nodes."""

    def __init__(self, text: str, file: str, report: Report) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._file = file
        self._report = report

    def compose(self) -> Node:
        """The first document; an empty text where there is none."""
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self._broken(event, "", "a second document: one file holds one")
                    break
                root = self._node(next(self._events), "", 0)
        return root or Text("", plain=True, place=Place(self._file))

    def _node(self, event: Any, path: str, depth: int) -> Node:
        place = _place(self._file, event.start_mark)
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)
        match event:
            case yaml.AliasEvent():
                return self._broken(event, path, "aliases (*name) are not used here")
            case yaml.ScalarEvent():
                if event.tag not in (None, "!", _TEXT_TAG):
                    return self._broken(event, path, "tags (!name) are not used here")
                return Text(event.value, plain=event.implicit[0], place=place)
            case yaml.SequenceStartEvent():
                return Items(tuple(self._items(path, depth)), place)
            case _:
                return Table(self._entries(path, depth), place)

    def _items(self, path: str, depth: int) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, f"{path}[{index}]", depth + 1)
            index += 1

    def _entries(self, path: str, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, path, depth + 1)
            if not isinstance(key, Text):
                if not isinstance(key, Broken):
                    self._broken(event, path, "a key must be plain text")
                self._node(next(self._events), path, depth + 1)
                continue
            key_path = join(path, key.text)
            value = self._node(next(self._events), key_path, depth + 1)
            if key.text in entries:
                first = entries[key.text].place
                self._report.mistake(
                    key.place, key_path, f"the key stands here twice; first at line {first.line}"
                )
            else:
                entries[key.text] = Entry(key.place, value)
        return entries

    def _broken(self, event: Any, path: str, message: str) -> Broken:
        place = _place(self._file, event.start_mark)
        self._report.mistake(place, path, message)
        return Broken(place)
