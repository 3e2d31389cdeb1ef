"""A disk that fails: not acknowledged, not tried again, said clearly."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import apsw
import pytest
import trio

from gateway.errors import ExitCode, JournalBlocked, JournalFailed
from gateway.journal.database import our_errors
from gateway.journal.reader import open_reader
from gateway.journal.reply import Reply
from gateway.journal.writer import Job
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import OpenAt

STRACE = shutil.which("strace")

WRITE_ON = """
import sys
from pathlib import Path
import trio
from gateway.errors import JournalError
from gateway.journal import JournalSettings, open_journal
from gateway.telemetry.metrics import Metrics
from tests.doubles.events import fill_event
from tests.gateway.journal.conftest import CLOCK

async def main():
    async with open_journal(
        Path(sys.argv[1]), JournalSettings(), clock=CLOCK, metrics=Metrics()
    ) as journal:
        for number in range(1, 2_000):
            ticket = await journal.append([fill_event(number, raw="x" * 2_000)])
            await ticket.wait()
            print(number, flush=True)

try:
    trio.run(main)
except* JournalError as group:
    [error] = group.exceptions
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(STRACE is None, reason="needs strace to inject disk errors")
@pytest.mark.parametrize(
    "injection",
    [
        "fdatasync,fsync:error=EIO:when=40+",
        "pwrite64:error=EIO:when=300+",
        "pwrite64:error=EROFS:when=300+",
    ],
)
def test_a_failing_disk_ends_the_journal(tmp_path: Path, injection: str):
    """After EIO nothing more is acknowledged, and the exit code is 74 with a clear message."""
    state = tmp_path / "state"
    calls = injection.partition(":")[0]
    done = subprocess.run(
        [STRACE, "-f", "-qq", "-o", tmp_path / "trace", "-e", f"trace={calls}",
         "-e", f"inject={injection}", sys.executable, "-c", WRITE_ON, state],
        capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip

    acknowledged = sum(line.isdecimal() for line in done.stdout.splitlines())
    assert "INJECTED" in (tmp_path / "trace").read_text()
    assert done.returncode == ExitCode.DISK
    assert "check the disk" in done.stderr
    with open_reader(state) as reader:
        kept = [record.seq for record in reader.select()]
    # The one whose fsync failed may or may not be there; nobody was told that it is.
    assert len(kept) - acknowledged in (0, 1)


async def test_a_failure_reaches_everybody(open_at: OpenAt):
    """When the writer fails, waiting tickets fail, the body is cancelled, and nothing is taken."""
    refused: list[str] = []

    async def use_until_cancelled() -> None:
        async with open_at() as journal:
            # A disk that breaks, in the simplest form: the files are closed.
            connection = journal._writer._store._connection
            journal._put(Job(lambda _: connection.close(True)), Reply())
            ticket = journal.append_nowait([fill_event(1)])
            try:
                await ticket.wait()
            except JournalFailed:
                refused.append("ticket")
            try:
                journal.append_nowait([fill_event(2)])
            except JournalFailed:
                refused.append("append")
            await trio.sleep_forever()

    with trio.fail_after(30), pytest.raises(JournalFailed, match="the writer broke"):
        await use_until_cancelled()
    assert refused == ["ticket", "append"]


class AfterFullDisk:
    """A connection whose last failed system call had found the disk full."""

    system_errno = errno.ENOSPC


def test_an_error_after_a_full_disk_is_not_taken_for_one():
    """Only an error of a file asks for the errno, which outlives the call that set it."""
    with pytest.raises(JournalBlocked), our_errors(cast("apsw.Connection", AfterFullDisk())):
        raise apsw.IOError
    with pytest.raises(JournalFailed), our_errors(cast("apsw.Connection", AfterFullDisk())):
        raise apsw.ConstraintError
