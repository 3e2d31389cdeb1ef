"""REST answers, in every shape that they are known to take. Pure.

Each business answer is HTTP 200, refusals included, whatever its content type
says; a missing route answers an HTML page. `result` is boolean or text, the code
is a number or text, under `error_code` or `code` or absent, and what was asked
for lies under `data` (v2) or beside the rest (v1).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.lbank.refusals import UNKNOWN_CALL, Refused
from gateway.errors import VenueUnavailable

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_VALUE: Final = msgspec.json.Decoder(Any, float_hook=str)
_ROWS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_GOOD_CODES: Final = frozenset({"", "0", "00000", "200"})
_DIGITS_OF_NOW: Final = 13
"""Of epoch milliseconds, from 2001 to 2286."""
_KEY_FIELDS: Final = ("subscribeKey", "data", "key")
"""Where get_key has been seen to put the key; `data` may hold an object with `key`."""


class Reply(msgspec.Struct, frozen=True):
    """An answer that is a JSON object, with its fields still as text."""

    fields: Mapping[str, msgspec.Raw]

    @property
    def refused(self) -> bool:
        """True when the answer says so: by its result, or by a code."""
        result = self._word("result").lower()
        return result not in {"", "true"} or self.code not in _GOOD_CODES

    @property
    def succeeded(self) -> bool:
        """True when the answer says that what was asked for was done."""
        return not self.refused and self._word("result").lower() == "true"

    @property
    def code(self) -> str:
        """The error code; empty when there is none."""
        return self._word("error_code") or self._word("code")

    @property
    def words(self) -> str:
        """What the answer says for a person; may echo our address."""
        return self._word("msg") or self._word("message")

    @property
    def venue_ms(self) -> int | None:
        """LBank's clock when it answered."""
        return self.milliseconds("ts")

    def milliseconds(self, name: str) -> int | None:
        """A time, as number or text; None where no clock would show it."""
        value = self.value(name)
        digits = str(value) if type(value) in (int, str) else ""
        if len(digits) != _DIGITS_OF_NOW or not (digits.isascii() and digits.isdigit()):
            return None
        return int(digits)

    def value(self, name: str) -> Any:
        """A field decoded, JSON numbers with a fraction as text; None where it is absent."""
        raw = self.fields.get(name)
        try:
            return None if raw is None else _VALUE.decode(raw)
        except (msgspec.DecodeError, UnicodeError):  # a broken text, found only now
            return None

    def payload(self) -> Mapping[str, msgspec.Raw]:
        """The object under `data`, or the answer itself where there is none."""
        data = _object(self.fields.get("data"))
        return self.fields if data is None else data

    def rows(self, name: str) -> list[msgspec.Raw]:
        """The rows called `name`, in `data` or beside it, or a `data` that is the rows.

        An empty list is also written ``""`` or ``null``; a single row stands without
        a list around it.
        """
        raw = self.payload().get(name)
        if raw is not None:
            return _rows(raw)
        data = self.fields.get("data")
        single = None if data is None else _object(data)
        if data is None or (single is not None and "status" not in single):
            return []  # nothing, or an envelope without rows
        return _rows(data)

    @property
    def page_rows(self) -> int | None:
        """How many rows a page holds, which need not be what was asked for."""
        raw = self.payload().get("page_length")
        told = None if raw is None else bytes(raw).strip(b'"')
        return int(told) or None if told is not None and told.isdigit() else None

    def stream_key(self) -> str | None:
        """The key that get_key created."""
        for name in _KEY_FIELDS:
            value = self.value(name)
            if isinstance(value, dict):
                value = value.get("key") or value.get("subscribeKey")
            if isinstance(value, str) and value:
                return value
        return None

    def _word(self, name: str) -> str:
        value = self.value(name)
        return "" if value is None else str(value)


def decode_reply(path: str, status: int, body: bytes) -> Reply:
    """Read an answer. Raises `VenueUnavailable` for one that proves nothing."""
    if status == 404:
        raise Refused(f"{path}: LBank does not know this call", UNKNOWN_CALL)
    if status >= 500:
        raise VenueUnavailable(f"{path}: answered HTTP {status}")
    try:
        return Reply(_FIELDS.decode(body))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        kind = "a web page" if body.lstrip()[:1] == b"<" else "no JSON object"
        raise VenueUnavailable(f"{path}: answered HTTP {status} with {kind}") from None


def text_of_row(row: msgspec.Raw) -> str:
    """A row as LBank wrote it."""
    return bytes(row).decode()


def _object(raw: msgspec.Raw | None) -> Mapping[str, msgspec.Raw] | None:
    return _FIELDS.decode(raw) if raw is not None and _opening(raw) == b"{" else None


def _rows(raw: msgspec.Raw) -> list[msgspec.Raw]:
    match _opening(raw):
        case b"[":
            return _ROWS.decode(raw)
        case b"{":
            return [raw]
        case _:
            return []


def _opening(raw: msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])
