"""The last net under secrets.

Code never logs a secret on purpose; this catches the accident (a traceback with a
signed URL, a venue that echoes our key). A `Redactor` knows values, not places.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

MASK: Final = "[redacted]"
_SHORTEST: Final = 6
"""Shorter values would blank out innocent text; such a secret protects nothing."""


class Redactor:
    """Replaces known secret values in text.

    One per account for its frames, so that a frame is compared with three secrets
    and not with those of a thousand accounts; one for the whole process, behind
    the log renderer.
    """

    def __init__(self, parent: "Redactor | None" = None) -> None:
        self._secrets: dict[str, None] = {}
        self._parent = parent

    def add(self, *values: str) -> None:
        """Learn secrets, here and in every parent."""
        for value in values:
            for spelling in _spellings(value):
                self._secrets[spelling] = None
        if self._parent is not None:
            self._parent.add(*values)

    def discard(self, values: Iterable[str]) -> None:
        """Forget short-lived secrets (a stream key long void), to stay small."""
        for value in values:
            for spelling in _spellings(value):
                self._secrets.pop(spelling, None)
        if self._parent is not None:
            self._parent.discard(values)

    def redact(self, text: str) -> str:
        """`text` with every known secret replaced by ``[redacted]``."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, MASK)
        return text


def _spellings(value: str) -> list[str]:
    if len(value) < _SHORTEST:
        return []
    # Longest first: a percent-encoded spelling contains no raw one, but a
    # multi-line key must vanish before its single lines would.
    spellings = [value, quote(value, safe="")]
    spellings += [line.strip() for line in value.splitlines() if len(line.strip()) >= 16]
    return list(dict.fromkeys(spellings))


REDACTOR: Final = Redactor()
"""The process-wide one: every secret of every account and sink."""
