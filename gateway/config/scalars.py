"""One scalar as written → a value of the type that a field wants.

Durations, sizes and numbers in their one notation each. What YAML itself would
make of the text plays no part.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.config.document import Text
from gateway.contracts.values import DURATION, Bytes, Seconds
from gateway.events.numbers import NumberError, PlainDecimal, plain

_LONGEST_SECONDS: Final = 100 * 365 * 86400
"""100 years; whoever means for ever leaves the option out."""

_SIZE: Final = re.compile(r"([0-9]{1,18})(B|KiB|MiB|GiB|TiB)", re.ASCII)
_UNITS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_LARGEST_BYTES: Final = 1 << 60
"""1 EiB, more than any disk."""

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?", re.ASCII)

_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})


class Misread(ValueError):
    """You get this when the text is no value of the wanted type."""

    def __init__(self, hint: str | None = None) -> None:
        super().__init__(hint)
        self.hint = hint


class ScalarType(msgspec.Struct, frozen=True):
    """How values of one type are written."""

    words: str
    """After "expected"."""
    parse: Callable[[Text], Any]
    schema: dict[str, Any]
    """JSON Schema of the notation."""
    write: Callable[[Any], str] = str
    """Back to the notation."""


def parse_seconds(text: Text) -> Seconds:
    """``250ms`` ``30s`` ``5m`` ``12h`` ``14d``."""
    seconds = Seconds.read(text.text)
    if seconds is None:
        digits = text.text.replace(".", "", 1).isdigit()
        raise Misread("a unit is missing: ms, s, m, h or d" if digits else None)
    if seconds > _LONGEST_SECONDS:
        raise Misread("at most 100 years")
    return seconds


def parse_bytes(text: Text) -> Bytes:
    """``512B`` ``64KiB`` ``10GiB``."""
    match = _SIZE.fullmatch(text.text)
    if match is None:
        if text.text.isdigit():
            raise Misread("a unit is missing: B, KiB, MiB, GiB or TiB")
        raise Misread("units are B, KiB, MiB, GiB and TiB")
    size = int(match[1]) * _UNITS[match[2]]
    if size > _LARGEST_BYTES:
        raise Misread("at most 1048576TiB")
    return Bytes(size)


def write_seconds(value: float) -> str:
    """The shortest notation of a duration: ``Seconds(300)`` gives ``5m``."""
    milliseconds = round(value * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0 and (milliseconds or unit == "s"):
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def write_bytes(value: int) -> str:
    """The shortest notation of a size: ``Bytes(65536)`` gives ``64KiB``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value and value % _UNITS[unit] == 0:
            return f"{value // _UNITS[unit]}{unit}"
    return f"{value}B"


def _parse_text(text: Text) -> str:
    if text.is_null:
        raise Misread("nothing stands here")
    return text.text


def _parse_path(text: Text) -> Path:
    path = _parse_text(text)
    if not path or "\0" in path:
        raise Misread("a path cannot be empty")
    return Path(path)


def _parse_boolean(text: Text) -> bool:
    word = text.text.lower()
    if not text.plain:
        raise Misread("without quotes")
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise Misread


def _parse_integer(text: Text) -> int:
    _refuse_quotes(text)
    if not _INTEGER.fullmatch(text.text):
        raise Misread("digits only, no leading zero" if text.text.startswith("0") else None)
    return int(text.text)


def _parse_float(text: Text) -> float:
    _refuse_quotes(text)
    if not _NUMBER.fullmatch(text.text):
        raise Misread
    return float(text.text)


def _parse_decimal(text: Text) -> PlainDecimal:
    try:
        return plain(text.text)
    except NumberError as error:
        raise Misread from error


def _refuse_quotes(text: Text) -> None:
    if not text.plain:
        raise Misread("without quotes")


SCALARS: Final[dict[Any, ScalarType]] = {
    Seconds: ScalarType(
        "a duration such as 250ms, 30s, 5m, 12h or 14d",
        parse_seconds,
        {"type": "string", "pattern": f"^{DURATION.pattern}$"},
        write_seconds,
    ),
    Bytes: ScalarType(
        "a size such as 64KiB or 10GiB",
        parse_bytes,
        {"type": "string", "pattern": f"^{_SIZE.pattern}$"},
        write_bytes,
    ),
    PlainDecimal: ScalarType(
        "a decimal number such as 0.001", _parse_decimal, {"type": ["string", "number"]}
    ),
    # Ids and pairs: YAML 1.1 reads `12345` as a number, we keep it as written.
    str: ScalarType("text", _parse_text, {"type": ["string", "number", "boolean"]}),
    Path: ScalarType("a path", _parse_path, {"type": "string", "minLength": 1}),
    bool: ScalarType("true or false", _parse_boolean, {"type": "boolean"}),
    int: ScalarType("a whole number", _parse_integer, {"type": "integer"}),
    float: ScalarType("a number", _parse_float, {"type": "number"}),
}
