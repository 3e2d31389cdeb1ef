"""Finding the running gateway, for the commands that speak to it."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.admin.client import ControlClient
from gateway.cli.options import config_path, loaded_config
from gateway.config.document import Text, read_document
from gateway.config.mistakes import Report
from gateway.errors import ConfigurationError

_STATE_DIR_LINE: Final = re.compile(r"^state_dir:\s+(?P<path>[^\s#]+)", re.MULTILINE)


def control_client() -> ControlClient:
    """A client of the gateway that runs on the configured state directory."""
    return ControlClient(state_directory())


def state_directory() -> Path:
    """The configured state directory, even when the rest of the file is wrong by now.

    Somebody who has just broken the file of a running gateway wants to see how that
    gateway does, and to be told by it what a reload makes of the file.
    """
    try:
        return loaded_config().state_dir
    except ConfigurationError:
        named = _named_state_directory(config_path())
        default = os.environ.get("STATE_DIRECTORY") or "var"
        return Path(named or default).expanduser().absolute()


def _named_state_directory(path: Path) -> str | None:
    table = read_document(path, Report())
    if table is not None:
        entry = table.entries.get("state_dir")
        return entry.value.text if entry is not None and isinstance(entry.value, Text) else None
    # Not even YAML: the line itself most likely still stands there.
    with suppress(OSError, UnicodeDecodeError):
        line = _STATE_DIR_LINE.search(path.read_text(encoding="utf-8"))
        return None if line is None else line["path"].strip("'\"")
    return None
