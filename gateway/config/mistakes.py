"""Mistakes in configuration files: where, what, and what to do.

Everything that reads configuration writes into one `Report` and goes on, so that
an operator sees all mistakes at once.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from gateway.errors import ConfigurationError

_BARE_KEY: Final = re.compile(r"[\w-]+")
_LONGEST_KEY: Final = 60
"""Longer keys are cut in messages; no key of ours comes near."""


class Place(msgspec.Struct, frozen=True):
    """A position in a file; lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Mistake(msgspec.Struct, frozen=True):
    """One mistake, or one warning. Never holds a value from the file: it may be a secret."""

    file: str
    line: int
    column: int
    path: str
    """Dotted keys from the top of the configuration; empty for the whole file."""
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        what = f"{self.path}: {self.message}" if self.path else self.message
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {what}{hint}"


class InvalidConfiguration(ConfigurationError):
    """`load_config` raises it with every mistake of the files; `str()` is one line each."""

    def __init__(self, mistakes: Sequence[Mistake], warnings: Sequence[Mistake] = ()) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)
        self.warnings = tuple(warnings)


class Report:
    """Collects mistakes and warnings; the same one at the same place counts once.

    A value of `defaults` is read for each account that inherits it, and is wrong
    only once.
    """

    def __init__(self) -> None:
        self._mistakes: dict[tuple[Place, str], Mistake] = {}
        self._warnings: dict[tuple[Place, str], Mistake] = {}

    def mistake(self, place: Place, path: str, message: str, hint: str | None = None) -> None:
        """Add what makes the configuration unusable."""
        self._mistakes.setdefault((place, message), _at(place, path, message, hint))

    def warning(self, place: Place, path: str, message: str, hint: str | None = None) -> None:
        """Add what works, but is probably not what the operator wants."""
        self._warnings.setdefault((place, message), _at(place, path, message, hint))

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """All mistakes in the order of the files."""
        return _in_order(self._mistakes)

    @property
    def warnings(self) -> tuple[Mistake, ...]:
        """All warnings in the order of the files."""
        return _in_order(self._warnings)


def join(path: str, key: str) -> str:
    """The path of `key` under `path`; keys that are no plain word are quoted."""
    if not _BARE_KEY.fullmatch(key):
        key = json.dumps(key)
    if len(key) > _LONGEST_KEY:
        key = key[:_LONGEST_KEY] + "…"
    return f"{path}.{key}" if path else key


def _at(place: Place, path: str, message: str, hint: str | None) -> Mistake:
    return Mistake(place.file, place.line, place.column, path, message, hint)


def _in_order(found: dict[tuple[Place, str], Mistake]) -> tuple[Mistake, ...]:
    files = list(dict.fromkeys(mistake.file for mistake in found.values()))
    return tuple(sorted(found.values(), key=lambda m: (files.index(m.file), m.line, m.column)))
