"""``gateway`` and ``python -m gateway``: the outermost boundary.

Whatever a command raises ends here as one clear line and an exit code.
"""

import signal

# Before anything else: a SIGHUP that comes while we are still importing means
# "reload", and must not kill a daemon that is about to read its files anyway.
_HANGUP = signal.signal(signal.SIGHUP, signal.SIG_IGN)

import sys  # noqa: E402 - imports wait for the signal's sake
from collections.abc import Iterator, Sequence  # noqa: E402 - likewise

import click  # noqa: E402 - likewise

from gateway.cli import Invocation, root  # noqa: E402 - likewise
from gateway.errors import ExitCode, GatewayError  # noqa: E402 - likewise
from gateway.telemetry.redaction import REDACTOR  # noqa: E402 - likewise

_INTERRUPTED = 130
"""128 + SIGINT, as shells have it; `run` ends with 0 by itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code."""
    try:
        code = root.main(
            args=arguments, prog_name="gateway", standalone_mode=False, obj=Invocation(_HANGUP)
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last resort: nothing leaves as a traceback
        return _explain(error)
    return code if isinstance(code, int) else ExitCode.OK


def _explain(error: Exception) -> int:
    leaves = list(_leaves(error))
    known = [leaf for leaf in leaves if isinstance(leaf, GatewayError)]
    if len(known) < len(leaves):
        return _report_crash(error)
    for leaf in known:
        click.echo(REDACTOR.redact(str(leaf)), err=True)
    return max(leaf.exit_code for leaf in known)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The single errors of a group, as Trio's nurseries raise them."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _report_crash(error: Exception) -> int:
    # Imported here: the price of structlog is paid by crashes, not by `--help`.
    import structlog

    from gateway.telemetry import logs
    from gateway.telemetry.happenings import Happening, Level

    if not structlog.is_configured():
        logs.configure()
    crashed = Happening("gateway_crashed", Level.ERROR, "A defect ended the process.")
    crashed.emit(exc_info=error)
    return ExitCode.INTERNAL


if __name__ == "__main__":
    sys.exit(main())
