"""PostgreSQL itself: one server a test module, a database and a user a test."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio
from psycopg import sql

from tests.doubles.servers.certificates import Certificates, make_certificates
from tests.doubles.servers.process import (
    HOST,
    POLL_SECONDS,
    START_SECONDS,
    ServerProcess,
    free_port,
)

PACKAGE = "postgresql"
ADMIN = "postgres"
ADMIN_PASSWORD = "password-of-the-admin"


class PostgresServer(ServerProcess):
    """`postgres`, run by a user of its own where the test is run by root."""

    def __init__(
        self, binaries: Path, folder: Path, user: Sequence[str], accepts: str = "connections"
    ) -> None:
        self.port = free_port()
        self.certificates: Certificates = make_certificates(folder / "certificates")
        self._binaries, self._folder, self._user = binaries, folder, user
        self._paused: list[int] = []
        says = f"database system is ready to accept {accepts}"
        super().__init__(self._arguments, folder, says, prefix=user)

    @property
    def address(self) -> str:
        """As in `servers`."""
        return f"{HOST}:{self.port}"

    def kill(self) -> None:
        """As if its computer died: no process of it serves a last question, as orphans do."""
        if self._process is not None and self.running:
            self.pause()  # it can replace none of them meanwhile
            for child in _children(self._process.pid):
                os.kill(child, signal.SIGKILL)
        super().kill()

    def make(self) -> None:
        """Make its data directory."""
        password = self._folder / "admin"
        password.write_text(ADMIN_PASSWORD)
        _hand_over(self._folder)
        program = [*self._prefix, str(self._binaries / "initdb")]
        place = ["--pgdata", str(self._folder / "data"), "--no-sync"]
        access = ["--username", ADMIN, "--pwfile", str(password), "--auth", "scram-sha-256"]
        language = ["--locale", "C", "--encoding", "UTF8"]
        subprocess.run([*program, *place, *access, *language], check=True, capture_output=True)

    @contextmanager
    def standby(self) -> Iterator["PostgresServer"]:
        """Another server that follows this one; it is not started yet."""
        with tempfile.TemporaryDirectory(prefix="gateway-postgres-") as folder:
            other = PostgresServer(
                self._binaries, Path(folder), self._user, "read-only connections"
            )
            program = [str(self._binaries / "pg_basebackup"), "--write-recovery-conf"]
            place = ["--pgdata", f"{folder}/data", "--checkpoint", "fast", "--no-sync"]
            where = f"host={HOST} port={self.port} user={ADMIN} password={ADMIN_PASSWORD}"
            subprocess.run([*program, *place, "--dbname", where], check=True, capture_output=True)
            _hand_over(Path(folder))
            try:
                yield other
            finally:
                other.kill()

    def promote(self) -> None:
        """Take writes from now on."""
        self.ask("SELECT pg_promote()")

    def wait_for_standbys(self) -> None:
        """Acknowledge from now on only what a standby has."""
        self.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.ask("SELECT pg_reload_conf()")

    async def wait_replicated(self) -> None:
        """Return once a standby has all that was written."""
        query = "SELECT replay_lsn >= pg_current_wal_lsn() FROM pg_stat_replication"
        with trio.fail_after(START_SECONDS):
            while self.ask(query) != [(True,)]:  # noqa: ASYNC110 (another process)
                await trio.sleep(POLL_SECONDS)

    async def wait_unfollowed(self) -> None:
        """Return once no standby follows any more."""
        with trio.fail_after(START_SECONDS):
            while self.ask("SELECT 1 FROM pg_stat_replication"):  # noqa: ASYNC110 (the same)
                await trio.sleep(POLL_SECONDS)

    def _arguments(self) -> list[str]:
        options = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",  # it is killed, its machine is not
            "ssl": "on",
            "ssl_cert_file": str(self.certificates.certificate),
            "ssl_key_file": str(self.certificates.key),
            "log_min_messages": "log",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(self._binaries / "postgres"), "-D", str(self._folder / "data"), *settings]

    def ask(self, query: str, *values: Any, database: str = ADMIN) -> list[tuple[Any, ...]]:
        """One statement of the administrator's."""
        with self._connect(database) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description is not None else []

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user=ADMIN,
            password=ADMIN_PASSWORD,
            dbname=database,
            autocommit=True,
        )

    def add_database(self, name: str, password: str) -> None:
        """A database, and a user of the same name to whom it belongs."""
        identity = sql.Identifier(name).as_string()
        self.ask(f"CREATE ROLE {identity} LOGIN PASSWORD {sql.Literal(password).as_string()}")
        self.ask(f"CREATE DATABASE {identity} OWNER {identity}")

    def move_database(self, name: str, folder: Path) -> None:
        """Keep its tables in another folder."""
        identity, place = sql.Identifier(name).as_string(), sql.Literal(str(folder)).as_string()
        self.ask(f"CREATE TABLESPACE {identity} LOCATION {place}")
        self.ask(f"ALTER DATABASE {identity} SET TABLESPACE {identity}")

    def drop_database(self, name: str) -> None:
        """Remove a database that was moved, and leave its folder."""
        identity = sql.Identifier(name).as_string()
        self.ask(f"DROP DATABASE {identity} WITH (FORCE)")
        self.ask(f"DROP TABLESPACE {identity}")

    def set_password(self, name: str, password: str) -> None:
        """Of a user, whose connections are ended."""
        identity = sql.Identifier(name).as_string()
        self.ask(f"ALTER ROLE {identity} PASSWORD {sql.Literal(password).as_string()}")
        self._end_connections(name)

    def pause_backends(self, name: str) -> None:
        """Stop the processes that serve this user, where they are."""
        query = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
        self._paused = [row[0] for row in self.ask(query, name)]
        for pid in self._paused:
            os.kill(pid, signal.SIGSTOP)

    def resume_all(self) -> None:
        """Let them go on."""
        for pid in self._paused:
            os.kill(pid, signal.SIGCONT)
        self._paused = []

    @contextmanager
    def holding(self, database: str, statement: str) -> Iterator[None]:
        """Inside a transaction that has done this."""
        with self._connect(database) as connection, connection.transaction():
            connection.execute(statement.encode())
            yield

    def turn_away(self, name: str, *, away: bool) -> None:
        """Let the user log in no more, and end what connections it has; or let it again."""
        identity = sql.Identifier(name).as_string()
        self.ask(f"ALTER ROLE {identity} {'NO' if away else ''}LOGIN")
        if away:
            self._end_connections(name)

    def _end_connections(self, name: str) -> None:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
        self.ask(query, name)


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _hand_over(folder: Path) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam("nobody")
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, account.pw_uid, account.pw_gid)
            path.chmod(0o700 if path.is_dir() else 0o600)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    beside = shutil.which("initdb")
    if not found and beside is None:
        pytest.skip(f"initdb is not installed (Debian package {PACKAGE})")
    return (found[-1] if found else Path(beside or "").resolve()).parent


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server that is up; outside of pytest's folders, which only their owner may enter."""
    binaries = _binaries()
    user = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
    with tempfile.TemporaryDirectory(prefix="gateway-postgres-") as folder:
        server = PostgresServer(binaries, Path(folder), user if os.geteuid() == 0 else [])
        server.make()
        try:
            trio.run(server.start)
            yield server
        finally:
            server.kill()
