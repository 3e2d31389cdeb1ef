"""The whole configuration, as the rest of the house gets it.

The top-level sections, and `Config` that holds them all. Each part's own section
is defined beside that part's code.
"""

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gateway.admin.settings import HttpSettings
from gateway.cluster.settings import ClusterSettings
from gateway.config.mistakes import Mistake
from gateway.config.secrets import find_secrets
from gateway.contracts.adapter import ConfiguredAccount
from gateway.contracts.sink import ConfiguredSink
from gateway.contracts.values import Seconds, Secret
from gateway.journal.settings import JournalSettings

MEMBER: Final = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)
"""A gateway's name as part of a key on the cluster's board."""


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is logged to stderr, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""
    format: Literal["auto", "console", "json"] = "auto"
    """auto: readable on a terminal, fields under systemd, else one JSON object a line."""


class ShutdownSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the gateway stops."""

    drain: Seconds = Seconds(10)
    """How long sinks may go on delivering what was recorded before the stop."""


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in `gateway.yaml` but accounts, sinks and their defaults."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | None = None
    """This gateway's name; by default the name of the host."""
    include: tuple[str, ...] = ()
    """More files with accounts and sinks: paths or patterns, beside this file."""
    heartbeat: Annotated[Seconds, msgspec.Meta(ge=1)] | None = None
    """How often each account gets an `alive` event; null for never."""
    state_dir: Path | None = None
    """Where the journal lives; by default $STATE_DIRECTORY, else ./var."""
    log: LogSettings = LogSettings()
    """What is logged, and how."""
    http: HttpSettings | None = HttpSettings()
    """Where health, metrics, status and events are served; null for nowhere."""
    journal: JournalSettings = JournalSettings()
    """What is kept on disk, and how safely."""
    shutdown: ShutdownSettings = ShutdownSettings()
    """How the gateway stops."""
    cluster: ClusterSettings | None = None
    """Gateways that share the accounts; null for one that has them all."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """What types cannot say."""
        if self.name is not None and not self.name.isprintable():
            yield "name", "must be printable"
        elif self.cluster is not None and self.name is not None and not MEMBER.fullmatch(self.name):
            yield "name", "in a cluster: letters, digits, -, _ and single dots"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration, read and checked."""

    name: str
    state_dir: Path
    heartbeat: Seconds | None
    log: LogSettings
    http: HttpSettings
    """`listen` is None where nothing is to be served."""
    journal: JournalSettings
    shutdown: ShutdownSettings
    cluster: ClusterSettings | None
    accounts: dict[str, ConfiguredAccount]
    """By name, in the order of the files; disabled ones included."""
    sinks: dict[str, ConfiguredSink]
    """By name, in the order of the files; disabled ones included."""
    files: tuple[Path, ...]
    """Every file that was read, the main one first."""
    warnings: tuple[Mistake, ...] = ()
    """What works, but is probably not what the operator wants."""

    def secrets(self) -> Iterator[tuple[str, Secret]]:
        """Every secret that an enabled part needs, with the path of its option."""
        yield from find_secrets(self.http, "http")
        if self.cluster is not None:
            yield from find_secrets(self.cluster, "cluster")
        for account in self.accounts.values():
            if account.options.enabled:
                yield from find_secrets(account.settings, f"accounts.{account.name}")
        for sink in self.sinks.values():
            if sink.options.enabled:
                yield from find_secrets(sink.settings, f"sinks.{sink.name}")


def host_name() -> str:
    """The default name of a gateway."""
    return socket.gethostname() or "gateway"
