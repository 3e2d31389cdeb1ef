"""One account or one sink of a configuration, read and checked.

Its options are those of every account (or sink) and those of its venue (or sink
type), in one mapping: an option of another venue is an unknown key.
"""

import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from gateway.config.document import Entry, Node, Table, Text
from gateway.config.mistakes import Place, Report, join
from gateway.config.reading import FAILED, Reader, as_table, find_place, merged
from gateway.config.shapes import fields_of
from gateway.contracts.adapter import AccountOptions, ConfiguredAccount, VenueSpec
from gateway.contracts.sink import ConfiguredSink, SinkOptions, SinkSpec
from gateway.errors import ConfigurationError
from gateway.registry import UnknownName, did_you_mean, find_sink, find_venue
from gateway.telemetry.redaction import REDACTOR

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
"""What an account or sink may be called: it becomes a metric label and a file name."""

_PROXIES: Final = ("http", "https", "socks5", "socks5h")


class Specs:
    """Venues and sink types that a configuration names, each looked up once."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._found: dict[tuple[str, str], VenueSpec | SinkSpec | None] = {}

    def venue(self, name: str, place: Place, path: str) -> VenueSpec | None:
        """The venue's spec, or None after a mistake."""
        spec = self._find(find_venue, "venue", name, place, path)
        assert spec is None or isinstance(spec, VenueSpec)
        return spec

    def sink(self, name: str, place: Place, path: str) -> SinkSpec | None:
        """The sink type's spec, or None after a mistake."""
        spec = self._find(find_sink, "sink", name, place, path)
        assert spec is None or isinstance(spec, SinkSpec)
        return spec

    def _find(self, find: Any, what: str, name: str, place: Place, path: str) -> Any:
        if self._found.get((what, name)) is None:
            try:
                self._found[what, name] = find(name)
            except UnknownName as error:
                self._report.mistake(place, path, error.message, error.hint)
            except ConfigurationError as error:
                self._report.mistake(place, path, str(error))
        return self._found.get((what, name))


class Findings:
    """Mistakes about options of one table, placed where the options stand."""

    def __init__(self, report: Report, table: Table, path: str) -> None:
        self._report = report
        self._table = table
        self._path = path
        self.any = False

    def add(self, keys: str, message: str, hint: str | None = None) -> None:
        """Report the option `keys`, dotted, below the table."""
        self.any = True
        place = find_place(self._table, keys)
        self._report.mistake(place, f"{self._path}.{keys}", message, hint)


class Members:
    """Reads accounts and sinks into one report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._reader = Reader(report)
        self._specs = Specs(report)
        self._writers: dict[str, str] = {}
        """Sinks that keep a file, by its path."""

    def read_defaults(self, node: Node) -> dict[str, Table]:
        """The `defaults` section: options by venue, each checked on its own."""
        tables: dict[str, Table] = {}
        for venue, entry in self._tables(node, "defaults").items():
            path = join("defaults", venue)
            spec = self._specs.venue(venue, entry.place, path)
            table = self._table(entry.value, path)
            if spec is None or table is None:
                continue
            fields = fields_of(AccountOptions, spec.settings)
            del fields["venue"]
            Reader(self._report, partial=True).read_fields(fields, table, path)
            tables[venue] = table
        return tables

    def read_account(
        self, name: str, entry: Entry, defaults: Mapping[str, Table]
    ) -> ConfiguredAccount | None:
        """One entry of `accounts`, or None after a mistake."""
        path = join("accounts", name)
        table = self._member(name, entry, path)
        if table is None or (kind := self._kind(table, "venue", path)) is None:
            return None
        spec = self._specs.venue(kind.text, kind.place, join(path, "venue"))
        if spec is None:
            return None
        fields = fields_of(AccountOptions, spec.settings)
        if spec.name in defaults:
            table = merged(fields, table, defaults[spec.name])
        values = self._reader.read_fields(fields, table, path)
        sound = self._check_account(values, spec, table, path)
        if values["streams"] == ():
            values["streams"] = spec.streams
        options = self._reader.build(AccountOptions, values, table, path)
        settings = self._reader.build(spec.settings, values, table, path)
        if not sound or options is FAILED or settings is FAILED:
            return None
        return ConfiguredAccount(name=name, spec=spec, options=options, settings=settings)

    def read_sink(
        self, name: str, entry: Entry, accounts: Collection[str]
    ) -> ConfiguredSink | None:
        """One entry of `sinks`, or None after a mistake."""
        path = join("sinks", name)
        table = self._member(name, entry, path)
        if table is None or (kind := self._kind(table, "type", path)) is None:
            return None
        spec = self._specs.sink(kind.text, kind.place, join(path, "type"))
        if spec is None:
            return None
        values = self._reader.read_fields(fields_of(SinkOptions, spec.settings), table, path)
        sound = self._check_sink(values, accounts, table, path)
        options = self._reader.build(SinkOptions, values, table, path)
        settings = self._reader.build(spec.settings, values, table, path)
        if not sound or options is FAILED or settings is FAILED:
            return None
        sink = ConfiguredSink(name=name, spec=spec, options=options, settings=settings)
        self._check_file(sink, table, path)
        return sink

    def _check_account(
        self, values: Mapping[str, Any], spec: VenueSpec, table: Table, path: str
    ) -> bool:
        """What the types of account options cannot say; False after a mistake."""
        found = Findings(self._report, table, path)
        streams = values["streams"] if values["streams"] is not FAILED else ()
        for index, stream in enumerate(streams):
            if stream not in spec.streams:
                message = f"{spec.name} has no such stream: it has {', '.join(spec.streams)}"
                found.add(f"streams[{index}]", message, did_you_mean(stream, spec.streams))
            elif stream in streams[:index]:
                found.add(f"streams[{index}]", "named twice")
        if "streams" in table.entries and values["streams"] == ():
            found.add("streams", "name a stream, or leave this out for all of them")
        proxy = values["proxy"]
        if proxy not in (None, FAILED):
            if not _is_proxy(proxy):
                found.add("proxy", "expected http://HOST:PORT or socks5://HOST:PORT")
            _hide_password(proxy)
        return not found.any

    def _check_sink(
        self, values: Mapping[str, Any], accounts: Collection[str], table: Table, path: str
    ) -> bool:
        """What the types of sink options cannot say; False after a mistake."""
        found = Findings(self._report, table, path)
        wanted = values["accounts"] if values["accounts"] is not FAILED else None
        for index, account in enumerate(wanted or ()):
            if account not in accounts:
                hint = did_you_mean(account, accounts)
                found.add(f"accounts[{index}]", "no account has this name", hint)
        for option in ("accounts", "kinds", "symbols"):
            if values[option] == ():
                found.add(option, "an empty list lets nothing pass; leave it out")
        retry = values["retry"]
        if retry is not FAILED and retry.initial > retry.max:
            found.add("retry.initial", "must not be longer than retry.max")
        return not found.any

    def _check_file(self, sink: ConfiguredSink, table: Table, path: str) -> None:
        """Two sinks in one file would each wait for the other, or mix their lines."""
        if sink.spec.writes_to is None:
            return
        file = os.path.normpath(sink.spec.writes_to(sink.settings))
        first = self._writers.setdefault(file, sink.name)
        if first != sink.name:
            message = f"sink {first} writes there too: each needs a path of its own"
            Findings(self._report, table, path).add("path", message)

    def _member(self, name: str, entry: Entry, path: str) -> Table | None:
        if not NAME.fullmatch(name):
            self._report.mistake(
                entry.place, path, "a name is 1 to 40 of a-z 0-9 _ -, and starts with a-z or 0-9"
            )
        return self._table(entry.value, path)

    def _kind(self, table: Table, key: str, path: str) -> Text | None:
        """The text under `venue` or `type`, on which everything else depends."""
        entry = table.entries.get(key)
        if entry is None:
            self._report.mistake(table.place, join(path, key), "missing: expected text")
            return None
        if isinstance(entry.value, Text) and not entry.value.is_null:
            return entry.value
        self._report.mistake(entry.value.place, join(path, key), "expected text")
        return None

    def _table(self, node: Node, path: str) -> Table | None:
        table = as_table(node)
        if table is None:
            self._report.mistake(node.place, path, "expected a mapping of options")
        return table

    def _tables(self, node: Node, path: str) -> dict[str, Entry]:
        table = self._table(node, path)
        return {} if table is None else table.entries


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in _PROXIES and bool(parts.hostname) and parts.port is not None
    except ValueError:
        return False


def _hide_password(url: str) -> None:
    """A proxy's address may hold a password: no log shows it."""
    credentials = url.rpartition("@")[0].rpartition("/")[2]
    password = credentials.partition(":")[2]
    if password:
        REDACTOR.add(password, unquote(password))
