"""Values that stand in a configuration: durations, sizes, secrets.

Settings classes use these as field types; `gateway.config` fills them from YAML.
"""

import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Final

from gateway.errors import SecretUnreadable

DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)", re.ASCII)
_UNITS: Final = {"ms": "0.001", "s": "1", "m": "60", "h": "3600", "d": "86400"}


class Seconds(float):
    """A duration, written ``250ms`` ``30s`` ``5m`` ``12h`` ``14d``."""

    __slots__ = ()

    @classmethod
    def read(cls, text: str) -> "Seconds | None":
        """The duration that is written so; None for anything else."""
        match = DURATION.fullmatch(text)
        return None if match is None else cls(Decimal(match[1]) * Decimal(_UNITS[match[2]]))


class Bytes(int):
    """A size, written ``512B`` ``64KiB`` ``10GiB``."""


class Secret:
    """A reference to a secret, or (with a warning) the secret itself.

    Its `repr` and `str` show the reference, never the value, so that a traceback
    or a log of settings gives nothing away.
    """

    __slots__ = ("_literal", "name", "source")

    def __init__(self, source: str, name: str, literal: str | None = None) -> None:
        self.source: Final = source
        """``env`` ``file`` ``credential`` or ``literal``."""
        self.name: Final = name
        """The variable, path or credential; empty for a literal."""
        self._literal = literal

    @classmethod
    def of(cls, value: str) -> "Secret":
        """A literal secret."""
        return cls("literal", "", value)

    def read(self) -> str:
        """The value, read anew each time so that a rotated file takes effect.

        Raises `SecretUnreadable`, with the reference and what to do, when it is
        missing, empty or not readable.
        """
        match self.source:
            case "env":
                value = os.environ.get(self.name, "")
            case "file":
                value = _read_file(Path(self.name), str(self))
            case "credential":
                directory = os.environ.get("CREDENTIALS_DIRECTORY")
                if not directory:
                    raise SecretUnreadable(
                        f"{self}: $CREDENTIALS_DIRECTORY is not set; start by systemd with"
                        f" LoadCredential={self.name}:…"
                    )
                value = _read_credential(Path(directory, self.name), str(self))
            case _:
                value = self._literal or ""
        # Editors end a file with a newline; no venue's key does.
        value = value.strip()
        if not value:
            raise SecretUnreadable(f"{self}: not set or empty")
        return value

    def fingerprint(self) -> tuple[str, str, float]:
        """Changes when the reference or the file behind it changes; shows nothing."""
        path = None
        if self.source == "file":
            path = Path(self.name)
        elif self.source == "credential":
            path = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent"), self.name)
        try:
            changed = path.stat().st_mtime if path is not None else 0.0
        except OSError:
            changed = -1.0
        return (self.source, self.name, changed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine = (self.source, self.name, self._literal)
        return mine == (other.source, other.name, other._literal)

    def __hash__(self) -> int:
        return hash((self.source, self.name))

    def __repr__(self) -> str:
        return f"{self.source}:{self.name}" if self.name else "literal:[redacted]"


Fingerprints = tuple[tuple[str, str, float], ...]


def fingerprints(settings: object) -> Fingerprints:
    """Of every secret in a settings struct, however deep: what a rotated file changes."""
    if isinstance(settings, Secret):
        return (settings.fingerprint(),)
    if isinstance(settings, tuple | list):
        return tuple(found for each in settings for found in fingerprints(each))
    fields: tuple[str, ...] = getattr(settings, "__struct_fields__", ())
    return tuple(found for name in fields for found in fingerprints(getattr(settings, name)))


def _read_credential(path: Path, reference: str) -> str:
    if not path.exists():
        # systemd hands credentials over when it starts a service, and at no other time.
        raise SecretUnreadable(
            f"{reference}: not among this service's credentials; add LoadCredential={path.name}:…"
            " to its unit and restart it: a reload brings no new ones"
        )
    return _read_file(path, reference)


def _read_file(path: Path, reference: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise SecretUnreadable(f"{reference}: not UTF-8 text") from None
    except OSError as error:
        raise SecretUnreadable(f"{reference}: {error.strerror or error}") from None
