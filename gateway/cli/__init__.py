"""The command line: one file per command group, imported when it is used.

A command is a row of `COMMANDS` and a module with a click command named
`command`. `-c FILE` is accepted by every command, before or after its name; a
command gets at it by `gateway.cli.options`.
"""

import os
import select
import signal
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from gateway import __version__


class Row(msgspec.Struct, frozen=True):
    """One command: shown in the help without importing its module."""

    section: str
    module: str
    help: str


_START, _RUN, _LOOK, _MEND, _LEARN = "Start here", "Run", "Look", "Mend", "Learn"

COMMANDS: Final[Mapping[str, Row]] = {
    "demo": Row(_START, "demo", "Two simulated venues and the gateway on them, on loopback."),
    "check": Row(_START, "check", "Check the configuration, and with --connect the peers."),
    "run": Row(_RUN, "run", "The daemon, in the foreground."),
    "simulate": Row(_RUN, "simulate", "A venue simulator by itself, with scripted faults."),
    "status": Row(_LOOK, "status", "Accounts, sinks and journal of a running gateway."),
    "top": Row(_LOOK, "top", "The same as a live screen."),
    "tail": Row(_LOOK, "tail", "Events from the journal, then live."),
    "journal": Row(_LOOK, "journal", "Ranges, sizes, integrity and cursors of the journal."),
    "dlq": Row(_MEND, "dlq", "Dead letters: list, show, replay, drop."),
    "replay": Row(_MEND, "replay", "Send a stretch of the journal to a sink again."),
    "reload": Row(_MEND, "reload", "Apply a changed configuration, and tell the result."),
    "account": Row(_MEND, "account", "Reconnect or recover an account."),
    "cluster": Row(_MEND, "cluster", "Status of a cluster; drain, pin and move."),
    "sink": Row(_MEND, "sink", "Pause, resume or forget a sink."),
    "list": Row(_LEARN, "listing", "Venues, sinks and metrics of this build."),
    "explain": Row(_LEARN, "explain", "A venue, sink, option, metric, log line or exit code."),
    "schema": Row(_LEARN, "schema", "JSON Schema of events or of the configuration."),
    "completion": Row(_LEARN, "completion", "Completion script for bash, zsh or fish."),
}


class Invocation:
    """What was said before the command's name; found at the root context's `obj`."""

    def __init__(self, hangup: Any = signal.SIG_DFL) -> None:
        self.config: Path | None = None
        """What `-c` named."""
        self.hangup = hangup
        """What SIGHUP did before `__main__` set it to be ignored."""


class Commands(click.Group):
    """The root: finds commands by the table, and groups them in the help."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and take its `command`."""
        row = COMMANDS.get(cmd_name)
        if row is None:
            return None
        command: click.Command = import_module(f"gateway.cli.{row.module}").command
        _accept_config(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a hint where the name is nearly right."""
        name = args[0]
        near = get_close_matches(name, COMMANDS, n=1) if name not in COMMANDS else []
        if near and not ctx.resilient_parsing:
            ctx.fail(f'there is no command {name!r} (did you mean "{near[0]}"?)')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader of our output that leaves is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if not _reader_left():
                # click would take it for stdout's and end without a word.
                raise RuntimeError("a broken pipe inside the gateway") from error
            # The interpreter flushes stdout once more at exit, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one block per section."""
        for section in dict.fromkeys(row.section for row in COMMANDS.values()):
            with formatter.section(section):
                rows = [
                    (name, row.help) for name, row in COMMANDS.items() if row.section == section
                ]
                formatter.write_dl(rows)


def _reader_left() -> bool:
    """Whether nobody reads our standard output any more."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _remember_config(ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.find_root().ensure_object(Invocation).config = value


def _config_option() -> click.Option:
    return click.Option(
        ["-c", "--config"],
        metavar="FILE",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember_config,
        help="The configuration; by default ./gateway.yaml, then /etc/gateway/gateway.yaml.",
    )


def _accept_config(command: click.Command) -> None:
    """Let `-c` stand behind the command's name too."""
    if not any(parameter.name == "config" for parameter in command.params):
        command.params.append(_config_option())
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _accept_config(inner)


@click.group(
    cls=Commands,
    params=[_config_option()],
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Each command has its own --help. Exit codes: `gateway explain exit-codes`.",
)
@click.version_option(__version__, prog_name="gateway", message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context) -> None:
    """Orders, fills, balances and positions of many exchange accounts.

    Every event is on disk first, in order, and delivered at least once; what could
    not be heard is declared as a gap.
    """
    invocation = ctx.ensure_object(Invocation)
    if ctx.invoked_subcommand != "run":
        # Only the daemon outlives its terminal, and says itself what SIGHUP means.
        signal.signal(signal.SIGHUP, invocation.hangup)
