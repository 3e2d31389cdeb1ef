"""What scripts and dashboards of other people rely on: commands, options, codes, metrics.

Written out by hand on purpose: a rename that changes code and generated documents alike
must fail here.
"""

import click
import pytest

from gateway.cli import COMMANDS, root
from gateway.errors import ExitCode
from gateway.telemetry.metrics import CATALOGUE

OPTIONS = {
    "demo": {"--for", "--dir"},
    "run": set(),
    "check": {"--connect", "--deny-warnings", "--json"},
    "status": {"--json"},
    "tail": {"--account", "--kind", "--symbol", "--since", "--from-seq", "-n", "-f", "--json"},
    "replay": {"--sink", "--from", "--to", "--dry-run"},
    "dlq list": {"--sink"},
    "dlq show": {"--sink"},
    "dlq replay": {"--sink"},
    "dlq drop": {"--sink"},
    "journal info": {"--json"},
    "journal verify": {"--json"},
    "reload": set(),
    "account reconnect": set(),
    "account recover": set(),
    "sink pause": set(),
    "sink resume": set(),
    "sink forget": set(),
    "simulate": {"--listen", "--scenario"},
    "schema": set(),
    "list": set(),
    "explain": set(),
}
CODES = {0, 1, 2, 3, 65, 69, 70, 73, 74, 77, 78}
ACCOUNT, SINK = {"account"}, {"sink"}
METRICS = {
    "gateway_account_up": ACCOUNT,
    "gateway_account_state": ACCOUNT | {"state"},
    "gateway_frames_received_total": ACCOUNT,
    "gateway_events_recorded_total": ACCOUNT | {"kind", "origin"},
    "gateway_events_duplicate_total": ACCOUNT,
    "gateway_events_stale_total": ACCOUNT,
    "gateway_frames_unrecognized_total": ACCOUNT | {"reason"},
    "gateway_reconnects_total": ACCOUNT | {"reason"},
    "gateway_gaps_total": ACCOUNT | {"complete"},
    "gateway_gap_seconds_total": ACCOUNT,
    "gateway_key_renewals_total": ACCOUNT | {"result"},
    "gateway_key_expires_timestamp_seconds": ACCOUNT,
    "gateway_last_frame_timestamp_seconds": ACCOUNT,
    "gateway_venue_lag_seconds": ACCOUNT,
    "gateway_clock_offset_seconds": ACCOUNT,
    "gateway_rest_requests_total": ACCOUNT | {"result"},
    "gateway_journal_last_seq": set(),
    "gateway_journal_bytes": set(),
    "gateway_journal_blocked": set(),
    "gateway_journal_commit_duration_seconds": set(),
    "gateway_journal_write_errors_total": {"reason"},
    "gateway_disk_free_bytes": set(),
    "gateway_sink_up": SINK,
    "gateway_sink_delivered_events_total": SINK,
    "gateway_sink_filtered_events_total": SINK,
    "gateway_sink_dropped_events_total": SINK | {"reason"},
    "gateway_sink_dead_letter_events_total": SINK | {"reason"},
    "gateway_sink_pending_events": SINK,
    "gateway_sink_oldest_pending_timestamp_seconds": SINK,
    "gateway_sink_attempts_total": SINK | {"result"},
    "gateway_sink_delivery_duration_seconds": SINK,
    "gateway_build_info": None,
    "gateway_ready": set(),
    "gateway_config_last_reload_successful": set(),
    "gateway_loop_lag_seconds": set(),
}
"""With their labels; those of `build_info` may grow."""


def find(name: str) -> click.Command:
    """A command by its words."""
    command: click.Command | None = root
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    return command


@pytest.mark.parametrize("name", OPTIONS)
def test_a_command_keeps_its_options(name: str):
    """Each is there, takes what it took, and `-c` as well."""
    offered = {option for parameter in find(name).params for option in parameter.opts}

    assert OPTIONS[name] | {"-c"} <= offered


def test_no_command_is_lost():
    """The table of commands holds every first word."""
    assert {name.split()[0] for name in OPTIONS} <= set(COMMANDS)


def test_exit_codes_keep_their_numbers():
    """A script that asks `$?` goes on meaning the same."""
    assert CODES == {code.value for code in ExitCode}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_keeps_its_name_and_labels(name: str):
    """A dashboard of somebody else goes on showing what it showed."""
    [spec] = [each for each in CATALOGUE if each.exposed_name == name]

    assert METRICS[name] in (None, set(spec.labels))
