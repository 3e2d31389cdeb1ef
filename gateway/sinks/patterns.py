"""Names made of a pattern: the stream, subject or topic to which an event goes.

``events:{account}:{kind}`` becomes ``events:lbank-main:fill``. Every messaging system
forbids other characters in its names; those of a symbol that it forbids become ``-``.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from gateway.contracts.sink import Record

NO_SYMBOL: Final = "-"
"""Stands for the symbol of an event that has none, such as a balance."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS: Final = ("account", "kind", "symbol")
_CACHED_NAMES: Final = 4096
"""Names remembered: accounts times kinds times symbols, of those in use."""


class Pattern:
    """Gives each event the name of the place where it goes."""

    def __init__(self, text: str, legal: str = r"[^\s]") -> None:
        r"""`legal` is the class of characters, such as ``[\w-]``, that a value may bring."""
        self._text = text
        self._legal = re.compile(legal, re.ASCII)
        self._name = lru_cache(_CACHED_NAMES)(self._fill_in)

    def name_for(self, record: Record) -> str:
        """The name for this event."""
        return self._name(record.account, record.kind.value, record.symbol or record.venue_symbol)

    def _fill_in(self, account: str, kind: str, symbol: str | None) -> str:
        values = {"account": account, "kind": kind, "symbol": symbol or NO_SYMBOL}
        return _PLACEHOLDER.sub(lambda found: self._clean(values[found[1]]), self._text)

    def _clean(self, value: str) -> str:
        return "".join(one if self._legal.fullmatch(one) else "-" for one in value)


def pattern_problems(
    key: str, text: str | None, legal: str = r"[^\s]"
) -> Iterator[tuple[str, str]]:
    """What is wrong with a pattern: `legal` is for the characters between its placeholders."""
    if text is None:
        return
    unknown = [name for name in _PLACEHOLDER.findall(text) if name not in _PLACEHOLDERS]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
        yield key, f"unknown placeholder {{{unknown[0]}}}; there are {known}"
        return
    fixed = _PLACEHOLDER.sub("", text)
    illegal = sorted({one for one in fixed if not re.fullmatch(legal, one, re.ASCII)})
    if illegal:
        yield key, f"{illegal[0]!r} cannot stand in such a name"
    elif not text:
        yield key, "must not be empty"
