"""Run a command in this process, as the installed script does."""

import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import structlog

from gateway.__main__ import main


class Outcome(msgspec.Struct, frozen=True):
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run `gateway` with these arguments."""
    hangup = signal.getsignal(signal.SIGHUP)
    library_log = logging.getLogger()
    handlers, level = library_log.handlers[:], library_log.level
    structlog.reset_defaults()

    def run_command(*arguments: object) -> Outcome:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        shown = capsys.readouterr()
        return Outcome(int(code), shown.out, shown.err)

    yield run_command
    # A command may set up logging, onto a stderr that is pytest's for this test only.
    structlog.reset_defaults()
    library_log.handlers[:], library_log.level = handlers, level
    signal.signal(signal.SIGHUP, hangup)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration, private to us, and give its path."""

    def write_file(text: str, name: str = "gateway.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write_file
