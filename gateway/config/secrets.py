"""Secrets in a configuration: how a reference is written, and finding all of them.

Messages here never repeat what stands in the file: whoever mistypes a secret's
form may have written the secret itself.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.config.document import Items, Node, Table, Text
from gateway.config.mistakes import Place, Report, join
from gateway.contracts.values import Secret
from gateway.errors import SecretUnreadable
from gateway.telemetry.redaction import REDACTOR

_FORMS: Final = "a secret is {env: NAME}, {file: PATH} or {credential: NAME}"
_SAFER: Final = "use {env: NAME}, {file: PATH} or {credential: NAME}"


def _is_variable(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name, re.ASCII) is not None


def _is_path(name: str) -> bool:
    return bool(name) and "\0" not in name


def _is_credential(name: str) -> bool:
    return re.fullmatch(r"(?!\.{1,2}$)[\w.@-]{1,255}", name, re.ASCII) is not None


_SOURCES: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    "env": (_is_variable, "expected the name of an environment variable"),
    "file": (_is_path, "expected the path of a file"),
    "credential": (_is_credential, "expected the name of a systemd credential"),
}


def read_secret(node: Node, path: str, report: Report) -> Secret | None:
    """The secret that a node refers to; None after a mistake."""
    if isinstance(node, Text):
        return _read_literal(node, path, report)
    if isinstance(node, Table) and len(node.entries) == 1:
        [(source, entry)] = node.entries.items()
        if source in _SOURCES and isinstance(entry.value, Text) and not entry.value.is_null:
            valid, expected = _SOURCES[source]
            if valid(entry.value.text):
                return _refer(source, entry.value, path, report)
            report.mistake(entry.value.place, join(path, source), expected)
            return None
    if isinstance(node, Table | Items):
        report.mistake(node.place, path, _FORMS)
    return None


def _refer(source: str, name: Text, path: str, report: Report) -> Secret:
    if source == "file" and readable_by_others(Path(name.text)):
        message = f"every user of this machine can read {name.text}"
        report.warning(name.place, path, message, "chmod o= it")
    return Secret(source, name.text)


def _read_literal(node: Text, path: str, report: Report) -> Secret | None:
    if node.is_null or not node.text.strip():
        report.mistake(node.place, path, f"nothing stands here: {_FORMS}")
        return None
    REDACTOR.add(node.text, node.text.strip())
    report.warning(node.place, path, "the secret itself stands in this file", _SAFER)
    if readable_by_others(Path(node.place.file)):
        message = "it holds a secret, and every user of this machine can read it"
        report.warning(Place(node.place.file), "", message, "chmod o= it")
    return Secret.of(node.text)


def find_secrets(value: Any, path: str) -> Iterator[tuple[str, Secret]]:
    """Every secret inside settings, with its path."""
    match value:
        case Secret():
            yield path, value
        case msgspec.Struct():
            for info in msgspec.structs.fields(type(value)):
                yield from find_secrets(getattr(value, info.name), join(path, info.encode_name))
        case tuple() | list():
            for index, item in enumerate(value):
                yield from find_secrets(item, f"{path}[{index}]")
        case dict():
            for key, item in value.items():
                yield from find_secrets(item, join(path, str(key)))


def readable_by_others(path: Path) -> bool:
    """Whether any user of the machine may read the file."""
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:
        return False  # a missing file is told when it is read


def learn_secrets(found: Iterable[tuple[str, Secret]]) -> None:
    """Read each secret once, and let no log or error show its value from now on.

    Raises `SecretUnreadable` with all that cannot be read, one line each.
    """
    unreadable = []
    for path, secret in found:
        try:
            REDACTOR.add(secret.read())
        except SecretUnreadable as error:
            unreadable.append(f"{path}: {error}")
    if unreadable:
        raise SecretUnreadable("\n".join(unreadable))
