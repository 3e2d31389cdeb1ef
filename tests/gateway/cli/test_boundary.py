"""The outermost boundary: every end is one clear line and an exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest

import gateway.cli
from gateway import __version__
from gateway.cli import COMMANDS, Row
from gateway.errors import JournalDamaged, SinkUnavailable, StateDirectoryError

Run = Callable[..., Any]

GATEWAY = [sys.executable, "-m", "gateway"]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch):
    """Add a command that raises."""

    def add(error: BaseException) -> None:
        @click.command()
        def command() -> None:
            raise error

        module = type(sys)("gateway.cli.raising")
        module.command = command
        monkeypatch.setitem(sys.modules, "gateway.cli.raising", module)
        row = Row("Learn", "raising", "Raises.")
        monkeypatch.setattr(gateway.cli, "COMMANDS", {**COMMANDS, "raising": row})

    return add


def test_version(run: Run) -> None:
    """One line, as packages and scripts expect it."""
    assert run("--version").out == f"gateway {__version__}\n"


def test_help_names_every_command(run: Run) -> None:
    """The help shows each command of the table with what it does."""
    shown = run("--help")

    assert shown.code == 0
    for name, row in COMMANDS.items():
        assert f"  {name} " in shown.out
        assert row.help.split()[0] in shown.out


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_exists(name: str, run: Run) -> None:
    """Nothing dangles: each row has a module with a click command that has help."""
    module = import_module(f"gateway.cli.{COMMANDS[name].module}")

    assert isinstance(module.command, click.Command)
    assert run(name, "--help").out.startswith(f"Usage: gateway {name}")


def test_the_help_imports_no_command() -> None:
    """`gateway --help` is quick: no journal, no Trio, no configuration is imported."""
    code = (
        "import sys; from gateway.__main__ import main; main(['--help']);"
        "print(sorted({'trio', 'apsw', 'yaml', 'httpx'} & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["chek"], "there is no command 'chek' (did you mean \"check\"?)"),
        (["zebra"], "No such command 'zebra'"),
        (["check", "--conect"], "--connect"),
        (["tail", "--since", "yesterday"], "expected a time such as"),
        (["tail", "-n", "-1"], "-1 is not in the range"),
        (["explain", "jsnol"], "did you mean"),
        (["schema", "evens"], "No such command"),
    ],
)
def test_usage_mistakes(arguments: list[str], hint: str, run: Run) -> None:
    """Exit 2, and a hint where one is near."""
    outcome = run(*arguments)

    assert outcome.code == 2
    assert hint in outcome.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StateDirectoryError("another gateway (pid 7) uses it"), 73),
        (JournalDamaged("record 3"), 65),
        (SinkUnavailable("refused"), 1),
        (ExceptionGroup("nursery", [StateDirectoryError("another gateway (pid 7) uses it")]), 73),
    ],
)
def test_an_error_of_ours_is_one_line(error: Exception, code: int, run: Run, raising: Run) -> None:
    """A sentence on stderr and the error's own exit code, also out of a nursery."""
    raising(error)

    outcome = run("raising")

    leaf = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
    assert (code, "", f"{leaf}\n") == (outcome.code, outcome.out, outcome.err)


def test_a_defect_is_logged_and_exits_70(run: Run, raising: Run) -> None:
    """Whatever else happens is a defect: the log has it, the exit code says so."""
    raising(ExceptionGroup("nursery", [ZeroDivisionError("oops"), SinkUnavailable("x")]))

    outcome = run("raising")

    assert outcome.code == 70
    assert outcome.out == ""
    assert "gateway_crashed" in outcome.err
    assert "ZeroDivisionError" in outcome.err


def test_an_interrupt_exits_130(run: Run, raising: Run) -> None:
    """As shells expect after Ctrl-C."""
    raising(KeyboardInterrupt())

    assert run("raising").code == 130


def test_a_reader_that_left_is_no_error() -> None:
    """`gateway schema config | head -1` says nothing on stderr and is fine."""
    with subprocess.Popen(
        [*GATEWAY, "schema", "config"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_sighup_is_ignored_before_anything_is_imported() -> None:
    """A reload signal that comes while the daemon still imports must not kill it."""
    code = (
        "import signal, os, sys\n"
        "class Tripwire:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('click', 'gateway.cli'):\n"
        "            os.kill(os.getpid(), signal.SIGHUP)\n"
        "sys.meta_path.insert(0, Tripwire())\n"
        "import gateway.__main__\n"
        "print('alive')\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_other_commands_end_with_their_terminal(run: Run) -> None:
    """Only the daemon ignores SIGHUP; `tail -f` must not outlive its terminal."""
    # Whoever starts us may have set it already: nohup, or a CI without a terminal.
    before = import_module("gateway.__main__")._HANGUP
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    run("schema", "events")

    assert signal.getsignal(signal.SIGHUP) == before


def test_the_installed_script_is_the_same(tmp_path: Path) -> None:
    """`gateway` and `python -m gateway` are one."""
    script = Path(sys.executable).with_name("gateway")
    environment = {**os.environ, "COLUMNS": "80"}
    shown = [
        subprocess.run([*command, "check", "-c", str(tmp_path / "none")], env=environment,
                       capture_output=True, text=True, check=False)
        for command in ([str(script)], GATEWAY)
    ]  # fmt: skip

    assert [one.returncode for one in shown] == [78, 78]
    assert shown[0].stderr == shown[1].stderr
