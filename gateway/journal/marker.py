"""A small file beside the database that tells what else must be there.

A database that was removed, or a WAL that was removed after a crash, leaves a
state that looks like a fresh one, and numbering would begin anew without a word.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from gateway.errors import JournalDamaged
from gateway.journal.privacy import file_mode

MARKER_NAME: Final = "journal.state"


class Marker(msgspec.Struct, frozen=True):
    """What the last gateway said when it opened or closed the journal."""

    epoch: str
    open: bool
    """The WAL may hold what the database does not: it has to be there."""


def read_marker(directory: Path) -> Marker | None:
    """The marker, or None where no gateway has been."""
    path = directory / MARKER_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Marker)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalDamaged(
            f"journal damaged: {path} is not what was written ({error}); if the journal itself"
            " is well (`gateway journal verify`), remove this file"
        ) from error


def write_marker(directory: Path, marker: Marker) -> None:
    """Replace the marker, whole or not at all."""
    path = directory / MARKER_NAME
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, file_mode(directory))
    try:
        os.write(descriptor, msgspec.json.encode(marker))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.rename(path)
    sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Make renames and new files in a directory survive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
