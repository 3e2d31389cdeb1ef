"""What works, but is probably not what the operator wants."""

from collections.abc import Mapping

from gateway.admin.settings import HttpSettings
from gateway.config.document import Table
from gateway.config.mistakes import Report
from gateway.config.reading import find_place
from gateway.contracts.adapter import ConfiguredAccount
from gateway.contracts.sink import ConfiguredSink


def warn(
    report: Report,
    root: Table,
    http: HttpSettings,
    accounts: Mapping[str, ConfiguredAccount],
    sinks: Mapping[str, ConfiguredSink],
) -> None:
    """Look at a configuration as a whole."""
    if not report.mistakes:  # an account or sink with a mistake is not in the mappings
        _warn_of_idleness(report, root, accounts, sinks)
    address = http.address
    if address is not None and not address.loopback and http.tls is None:
        place = find_place(root, "http.listen")
        report.warning(place, "http", "the token travels unencrypted", "add tls")


def _warn_of_idleness(
    report: Report,
    root: Table,
    accounts: Mapping[str, ConfiguredAccount],
    sinks: Mapping[str, ConfiguredSink],
) -> None:
    if not any(account.options.enabled for account in accounts.values()):
        report.warning(find_place(root, "accounts"), "accounts", "no account is enabled")
    if not any(sink.options.enabled for sink in sinks.values()):
        message = "no sink is enabled: events reach the journal and HTTP only"
        report.warning(find_place(root, "sinks"), "sinks", message)
