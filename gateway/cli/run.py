"""`gateway run`: the daemon, in the foreground."""

import faulthandler

import click
import trio

from gateway import app
from gateway.cli.options import config_path
from gateway.config import load_config
from gateway.config.secrets import learn_secrets
from gateway.telemetry import logs


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
    trio.run(app.run, config, path)
