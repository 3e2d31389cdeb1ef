"""`gateway check`: everything that can be known before a start.

Offline by default: files, options, secrets. With ``--connect`` the venues and
sinks are asked too, sending no events.
"""

import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import click
import msgspec
import trio

from gateway.admin.summary import count
from gateway.cli.connecting import Finding, probe_everything
from gateway.cli.options import config_path
from gateway.config import Config, InvalidConfiguration, Mistake, load_config
from gateway.config.secrets import learn_secrets
from gateway.errors import ExitCode, SecretUnreadable
from gateway.telemetry.redaction import REDACTOR


class Verdict(msgspec.Struct, kw_only=True):
    """All that the check found; also what ``--json`` prints."""

    file: str
    exit_code: int = ExitCode.OK
    mistakes: Sequence[Mistake] = ()
    warnings: Sequence[Mistake] = ()
    secrets: Sequence[str] = ()
    """References that cannot be read, each with the reason."""
    connections: Sequence[Finding] = ()
    accounts: int = 0
    sinks: int = 0


@click.command()
@click.option("--connect", is_flag=True, help="Ask the venues and sinks too; sends no events.")
@click.option("--deny-warnings", is_flag=True, help="Exit 3 when there are warnings.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--timeout", default=20.0, show_default=True, help="Seconds for each peer.")
def command(connect: bool, deny_warnings: bool, as_json: bool, timeout: float) -> None:
    """Check the configuration, and with --connect the peers.

    Exits 0 when all is well, 78 with mistakes, 77 when a secret cannot be read,
    69 when a venue or sink cannot be reached.
    """
    verdict = _check(connect, timeout)
    if verdict.exit_code == ExitCode.OK and deny_warnings and verdict.warnings:
        verdict.exit_code = ExitCode.WARNINGS
    if as_json:
        click.echo(json.dumps(_for_programs(verdict), indent=2))
    else:
        _print(verdict)
    sys.exit(verdict.exit_code)


def _check(connect: bool, timeout_seconds: float) -> Verdict:
    verdict = Verdict(file=str(config_path()))
    try:
        config = load_config(config_path())
    except InvalidConfiguration as error:
        verdict.mistakes, verdict.warnings = error.mistakes, error.warnings
        verdict.exit_code = ExitCode.CONFIGURATION
        return verdict
    verdict.warnings = config.warnings
    verdict.accounts, verdict.sinks = len(config.accounts), len(config.sinks)
    try:
        learn_secrets(config.secrets())
    except SecretUnreadable as error:
        verdict.secrets = str(error).splitlines()
        verdict.exit_code = ExitCode.SECRET
        return verdict
    if connect:
        _connect(verdict, config, timeout_seconds)
    return verdict


def _connect(verdict: Verdict, config: Config, timeout_seconds: float) -> None:
    verdict.connections = trio.run(partial(probe_everything, config, timeout_seconds))
    if not all(finding.ok for finding in verdict.connections):
        verdict.exit_code = ExitCode.UNREACHABLE


def _for_programs(verdict: Verdict) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(verdict)
    return {"ok": verdict.exit_code == ExitCode.OK, **shown}


def _print(verdict: Verdict) -> None:
    """Mistakes and warnings to stderr, as a compiler does; the rest to stdout."""
    for mistake in verdict.mistakes:
        click.echo(REDACTOR.redact(str(mistake)), err=True)
    for warning in verdict.warnings:
        click.echo(REDACTOR.redact(f"warning: {warning}"), err=True)
    for line in verdict.secrets:
        click.echo(f"cannot read a secret: {line}", err=True)
    for finding in verdict.connections:
        click.echo(REDACTOR.redact(str(finding)), err=not finding.ok)
    if not verdict.mistakes and not verdict.secrets:
        held = f"{count(verdict.accounts, 'account')}, {count(verdict.sinks, 'sink')}"
        click.echo(f"{verdict.file}: {held}: valid")
