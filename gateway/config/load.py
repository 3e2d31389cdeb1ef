"""`gateway.yaml` and what it includes → `Config`, or every mistake at once."""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from gateway.admin.settings import HttpSettings
from gateway.config.document import Broken, Entry, Items, Table, Text, read_document
from gateway.config.members import Members
from gateway.config.mistakes import InvalidConfiguration, Report, join
from gateway.config.reading import FAILED, Reader, as_table
from gateway.config.settings import Config, GatewaySettings, host_name
from gateway.config.shapes import fields_of
from gateway.config.warnings import warn
from gateway.contracts.adapter import ConfiguredAccount
from gateway.contracts.sink import ConfiguredSink

SEARCHED: Final = (Path("gateway.yaml"), Path("/etc/gateway/gateway.yaml"))
"""Where the configuration is looked for when nobody names it."""

_MEMBERS: Final = ("accounts", "sinks")
_SECTIONS: Final = ("defaults", *_MEMBERS)


def default_path() -> Path:
    """The first of `SEARCHED` that exists; the first of all when none does."""
    return next((path for path in SEARCHED if path.is_file()), SEARCHED[0])


def load_config(path: Path) -> Config:
    """Read and check everything, without touching network, journal or secrets.

    Raises `InvalidConfiguration` with all mistakes.
    """
    report = Report()
    root = read_document(path, report)
    config = None if root is None else _Loader(report, path, root).load()
    if config is None or report.mistakes:
        raise InvalidConfiguration(report.mistakes, report.warnings)
    return config


class _Loader:
    """One reading of one configuration."""

    def __init__(self, report: Report, path: Path, root: Table) -> None:
        self._report = report
        self._path = path
        self._root = root
        self._members = Members(report)
        self._files = [path]

    def load(self) -> Config | None:
        """Everything; None after a mistake in the top-level settings."""
        settings = self._read_settings()
        tables = [self._root, *self._read_included()]
        defaults_entry = self._root.entries.get("defaults")
        defaults = (
            {} if defaults_entry is None else self._members.read_defaults(defaults_entry.value)
        )
        account_entries = self._collect("accounts", tables)
        accounts: dict[str, ConfiguredAccount] = {}
        for name, entry in account_entries.items():
            account = self._members.read_account(name, entry, defaults)
            if account is not None:
                accounts[name] = account
        sinks: dict[str, ConfiguredSink] = {}
        for name, entry in self._collect("sinks", tables).items():
            sink = self._members.read_sink(name, entry, account_entries.keys())
            if sink is not None:
                sinks[name] = sink
        return None if settings is FAILED else self._assemble(settings, accounts, sinks)

    def _read_settings(self) -> Any:
        reader = Reader(self._report)
        values = reader.read_fields(fields_of(GatewaySettings), self._root, "", skip=_SECTIONS)
        return reader.build(GatewaySettings, values, self._root, "")

    def _assemble(
        self,
        settings: GatewaySettings,
        accounts: dict[str, ConfiguredAccount],
        sinks: dict[str, ConfiguredSink],
    ) -> Config:
        state_dir = settings.state_dir or Path(os.environ.get("STATE_DIRECTORY") or "var")
        http = settings.http or HttpSettings(listen=None)
        warn(self._report, self._root, http, accounts, sinks)
        return Config(
            name=settings.name or host_name(),
            state_dir=state_dir.expanduser().absolute(),
            heartbeat=settings.heartbeat,
            log=settings.log,
            http=http,
            journal=settings.journal,
            shutdown=settings.shutdown,
            cluster=settings.cluster,
            accounts=accounts,
            sinks=sinks,
            files=tuple(self._files),
            warnings=self._report.warnings,
        )

    def _read_included(self) -> Iterator[Table]:
        """The tables of all included files, in order; each file once."""
        seen = {self._path.resolve()}
        for pattern in self._patterns():
            for path in self._matches(pattern):
                if path.resolve() in seen:
                    continue
                seen.add(path.resolve())
                self._files.append(path)
                table = read_document(path, self._report)
                if table is not None:
                    self._refuse_others(table)
                    yield table

    def _patterns(self) -> Iterator[Text]:
        entry = self._root.entries.get("include")
        if entry is not None and isinstance(entry.value, Items):
            yield from (item for item in entry.value.items if isinstance(item, Text))

    def _matches(self, pattern: Text) -> list[Path]:
        text = str(self._path.parent / pattern.text)
        if not glob.has_magic(pattern.text):
            if not Path(text).is_file():
                self._report.mistake(pattern.place, "include", f"there is no file {text}")
                return []
            return [Path(text)]
        found = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
        return [path for path in map(Path, found) if path.is_file()]

    def _refuse_others(self, table: Table) -> None:
        for key, entry in table.entries.items():
            if key not in _MEMBERS:
                message = "an included file holds accounts and sinks, nothing else"
                self._report.mistake(entry.place, join("", key), message)

    def _collect(self, section: str, tables: list[Table]) -> dict[str, Entry]:
        """The entries of a section over all files; one name twice is a mistake."""
        found: dict[str, Entry] = {}
        for table in tables:
            for name, entry in self._entries(section, table):
                if name in found:
                    first = found[name].place
                    message = f"this name stands here and at {first}"
                    self._report.mistake(entry.place, join(section, name), message)
                else:
                    found[name] = entry
        return found

    def _entries(self, section: str, table: Table) -> list[tuple[str, Entry]]:
        entry = table.entries.get(section)
        if entry is None:
            return []
        members = as_table(entry.value)
        if members is None and not isinstance(entry.value, Broken):
            message = "expected a mapping from names to options"
            self._report.mistake(entry.value.place, section, message)
        return [] if members is None else list(members.entries.items())
