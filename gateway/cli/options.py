"""What several commands ask of the command line."""

import re
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from gateway.cli import Invocation
from gateway.config import Config, default_path, load_config
from gateway.config.document import Text
from gateway.config.mistakes import Place
from gateway.config.scalars import Misread, parse_seconds

_PLACE: Final = Place("")
_DURATION: Final = re.compile(r"[0-9.]+(ms|s|m|h|d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def config_path() -> Path:
    """The file that `-c` named, else the first of the default places that exists."""
    invocation = click.get_current_context().find_root().ensure_object(Invocation)
    return invocation.config or default_path()


def loaded_config() -> Config:
    """The configuration, checked. Raises `InvalidConfiguration` with all mistakes."""
    return load_config(config_path())


def confirm(question: str) -> None:
    """Ask a person, who may stop the command here; a script that calls it has decided."""
    if sys.stdin.isatty():
        click.confirm(question, abort=True)


def duration(text: str) -> float:
    """``30s`` ``10m`` ``12h``, as in the configuration; gives seconds."""
    try:
        return float(parse_seconds(Text(text, plain=True, place=_PLACE)))
    except Misread:
        raise click.BadParameter("expected a duration such as 30s, 10m or 12h") from None


def instant(text: str) -> int:
    """A time (RFC 3339, or a date), or a duration for how long ago; gives epoch ns."""
    if _DURATION.fullmatch(text):
        return time.time_ns() - int(duration(text) * 1e9)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        message = "expected a time such as 2026-11-02T08:00:00Z, or 10m for ago"
        raise click.BadParameter(message) from None
    # A time without a zone means UTC, as everywhere in the gateway.
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return (when - _EPOCH) // timedelta(microseconds=1) * 1000
