"""Finding the running gateway, for the commands that speak to it."""

import os
from pathlib import Path

from gateway.admin.client import ControlClient
from gateway.cli.options import config_path, loaded_config
from gateway.config.document import Text, read_document
from gateway.config.mistakes import Report
from gateway.errors import ConfigurationError


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
        table = read_document(config_path(), Report())
        entry = None if table is None else table.entries.get("state_dir")
        if entry is not None and isinstance(entry.value, Text):
            return Path(entry.value.text).expanduser().absolute()
        return Path(os.environ.get("STATE_DIRECTORY") or "var").absolute()
