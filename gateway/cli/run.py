"""`gateway run`: the daemon, in the foreground."""

import faulthandler
import gc
from typing import Final

import click
import trio

from gateway import app
from gateway.cli.options import config_path
from gateway.config import load_config
from gateway.config.secrets import learn_secrets
from gateway.telemetry import logs

_GARBAGE_AFTER: Final = 20_000
"""Objects made and kept before Python looks for cycles; its default of 700 is for
programs that make many. Events hold none: looking so often cost 8 % of the full path."""


@click.command()
def command() -> None:
    """Run the gateway until SIGTERM or Ctrl-C; SIGHUP reloads the configuration.

    Logs go to stderr. Nothing is written to stdout unless a `console` sink is
    configured. A second signal while stopping does not wait for the sinks.
    """
    path = config_path()
    config = load_config(path)
    logs.configure(config.log.level, config.log.format)
    # Before anything is opened: an unreadable secret is better told now than by a
    # suspended account, and a known secret is redacted from the first line on.
    learn_secrets(config.secrets())
    # systemd's watchdog ends a process that hangs by SIGABRT: let it tell where it hung.
    faulthandler.enable()
    # What is loaded by now stays to the end: nobody need look at it again.
    gc.freeze()
    gc.set_threshold(_GARBAGE_AFTER, *gc.get_threshold()[1:])
    trio.run(app.run, config, path)
