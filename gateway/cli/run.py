"""`gateway run`: the daemon, in the foreground."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click


@click.command()
def command() -> None:
    """Run the gateway until SIGTERM or Ctrl-C; SIGHUP reloads the configuration.

    Logs go to stderr. Nothing is written to stdout unless a `console` sink is
    configured. A second signal while stopping does not wait for the sinks.
    """
    with _stopped_at_once():
        _run()


def _run() -> None:
    # Imported here: what the daemon needs takes most of its start, and a stop by then counts.
    import faulthandler

    import trio

    from gateway import app
    from gateway.cli.options import config_path
    from gateway.config import load_config
    from gateway.config.secrets import learn_secrets
    from gateway.telemetry import logs
    from gateway.tuning import tune_python

    path = config_path()
    config = load_config(path)
    logs.configure(config.log.level, config.log.format)
    # Before anything is opened: an unreadable secret is better told now than by a
    # suspended account, and a known secret is redacted from the first line on.
    learn_secrets(config.secrets())
    # systemd's watchdog ends a process that hangs by SIGABRT: let it tell where it hung.
    faulthandler.enable()
    tune_python()
    trio.run(app.run, config, path)


@contextmanager
def _stopped_at_once() -> Iterator[None]:
    """Until `app.run` listens for signals nothing is open: to stop by then is an orderly end."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(_number: int, _frame: object) -> None:
    # Not by an exception: it could arise in the midst of an import, or inside Trio.
    os._exit(0)
