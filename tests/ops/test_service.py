"""The unit file on a real systemd: what `systemctl` promises is what happens."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from tests.ops import machine as machines
from tests.ops.distributions import Distributions
from tests.ops.machine import Machine
from tests.scenarios.rig import Rig, open_rig, wait_until

pytestmark = [
    pytest.mark.scenarios,
    pytest.mark.timeout(600),  # the first boot of a computer makes the root file system
]

UNIT = "gateway.service"
CONFIG = "/etc/gateway/gateway.yaml"
STATE = "/var/lib/private/gateway"
DROP_IN = "/etc/systemd/system/gateway.service.d"
SECRET = "canary-7f3a9c"


@pytest.fixture(scope="module")
def machine(
    distributions: Distributions, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A booted machine with the service installed as the README says."""
    if reason := machines.why_not():
        pytest.skip(f"no machine with systemd: {reason}")
    with machines.boot(distributions.wheel, tmp_path_factory.mktemp("machine")) as machine:
        install(machine, distributions.wheel)
        yield machine


def install(machine: Machine, wheel: Path) -> str:
    """Run the install script against the wheels that stand ready."""
    environment = ("env", "PIP_NO_INDEX=1", f"PIP_FIND_LINKS={machines.WHEELS}")
    what = f"{machines.WHEELS}/{wheel.name}"
    return machine.run(*environment, f"{machines.SOURCE}/systemd/install", what)


@pytest.fixture(autouse=True)
def clean(machine: Machine) -> Iterator[None]:
    """Each test begins and ends with the service as installed, stopped and without state."""
    yield
    machine.try_run("systemctl", "stop", UNIT, "gateway@*.service")
    machine.try_run("systemctl", "reset-failed")
    machine.run("rm", "-rf", DROP_IN, STATE, "/var/lib/gateway")
    machine.run("systemctl", "daemon-reload")
    machine.run("cp", f"{machines.SOURCE}/systemd/gateway.yaml", CONFIG)


def configure(machine: Machine, **sections: str) -> None:
    """Write a configuration that needs no venue."""
    settings = {"http": "null", "accounts": "{}", "sinks": "{}"} | sections
    lines = ["state_dir: /var/lib/gateway", *(f"{name}: {text}" for name, text in settings.items())]
    machine.write(CONFIG, "\n".join(lines) + "\n")


def drop_in(machine: Machine, *lines: str) -> None:
    """What `systemctl edit gateway` would do."""
    machine.write(f"{DROP_IN}/test.conf", "\n".join(("[Service]", *lines)) + "\n")
    machine.run("systemctl", "daemon-reload")


def move_in(rig: Rig, machine: Machine) -> None:
    """Let a rig's venues be served by the service instead of by a process of the test."""
    rig.state_dir = rig.daemon.state_dir = Path("/var/lib/gateway")
    rig.write_config()
    machine.write(CONFIG, rig.daemon.config.read_text())
    rig.state_dir = rig.daemon.state_dir = machine.path(STATE)


def entries(machine: Machine, *matches: str) -> list[dict[str, str]]:
    """Log entries of the service, oldest first."""
    text = machine.run("journalctl", "--output=json", "--unit", UNIT, "--boot", *matches)
    return [json.loads(line) for line in text.splitlines()]


async def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait for the machine, generously."""
    await wait_until(condition, 60, what)


def test_the_installed_service_starts_as_it_is(machine: Machine):
    """Right after the install script it starts, and tells in plain words how it does."""
    machine.run("systemctl", "start", UNIT)

    assert "0 of 0 accounts live, 1 sink" in machine.show(UNIT, "StatusText")
    assert "events" in machine.run("gateway", "status")
    assert "/etc/gateway" in machine.run("gateway", "check")


def test_the_unit_is_tight(machine: Machine):
    """The judgement of systemd, of the unit as it is loaded, is 1.2 or better."""
    for unit in (UNIT, "gateway@desk.service"):
        judged = machine.run("systemd-analyze", "security", "--no-pager", unit)
        exposure = float(judged.split("exposure level for")[1].split(":")[1].split()[0])

        assert exposure <= 1.2, judged


async def test_it_is_ready_only_when_it_journals(machine: Machine):
    """On a full disk a start says why and waits; it succeeds by itself once there is space."""
    configure(machine)
    machine.run("mkdir", "-p", STATE)
    machine.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", STATE)
    try:
        machine.run("sh", "-c", f"dd if=/dev/zero of={STATE}/ballast bs=4k || true")

        machine.run("systemctl", "start", "--no-block", UNIT)
        await wait_for(lambda: "74" == machine.show(UNIT, "ExecMainStatus"), "a full disk told")
        assert "activating" == machine.show(UNIT, "ActiveState")
        machine.run("mount", "-o", "remount,size=100m", STATE)
        await wait_for(lambda: "active" == machine.show(UNIT, "ActiveState"), "ready")
    finally:
        machine.run("systemctl", "stop", UNIT)
        machine.run("umount", "--lazy", STATE)


def test_a_broken_configuration_is_not_tried_again(machine: Machine):
    """The start fails with 78 and each mistake in the log, and systemd leaves it at that."""
    machine.write(CONFIG, "acounts: {}\n")

    assert machine.try_run("systemctl", "start", UNIT).returncode != 0
    assert "78" == machine.show(UNIT, "ExecMainStatus")
    assert "0" == machine.show(UNIT, "NRestarts")
    assert "failed" == machine.show(UNIT, "ActiveState")
    assert "accounts" in machine.run("journalctl", "--unit", UNIT, "--lines=5", "--output=cat")


def test_a_reload_tells_its_result(machine: Machine):
    """`systemctl reload` applies a good file; it fails on a broken one, which changes nothing."""
    configure(machine)
    machine.run("systemctl", "start", UNIT)
    pid = machine.show(UNIT, "MainPID")

    configure(machine, sinks="{more: {type: jsonl, path: more.jsonl}}")
    machine.run("systemctl", "reload", UNIT)
    assert "more" in machine.run("gateway", "status")

    configure(machine, sinks="{more: {type: jsonl}}")
    assert machine.try_run("systemctl", "reload", UNIT).returncode != 0
    assert "active" == machine.show(UNIT, "ActiveState")
    assert "more" in machine.run("gateway", "status")
    assert pid == machine.show(UNIT, "MainPID")
    log = machine.run("journalctl", "--unit", UNIT, "--lines=20", "--output=cat")
    assert "gateway.yaml:4" in log


async def test_the_watchdog_restarts_it_without_loss(machine: Machine, tmp_path: Path):
    """A gateway that hangs under load is killed, tells where it hung, and loses nothing."""
    async with open_rig(tmp_path, accounts=1, seed=23) as rig:
        move_in(rig, machine)
        drop_in(machine, "WatchdogSec=4s")
        machine.run("systemctl", "start", UNIT)
        await rig.wait_live(60)
        rig.set_rate(20)
        await wait_for(lambda: len(rig.delivered()) > 50, "events")
        pid = machine.show(UNIT, "MainPID")

        machine.run("sh", "-c", f"kill -STOP {pid}")
        await wait_for(lambda: machine.show(UNIT, "MainPID") not in (pid, "0"), "a restart")
        await wait_for(lambda: "active" == machine.show(UNIT, "ActiveState"), "ready again")
        await rig.wait_quiet()

        rig.judge().assert_kept()
        assert "1" == machine.show(UNIT, "NRestarts")
        log = machine.run("journalctl", "--unit", UNIT, "--output=cat")
        assert "Watchdog timeout" in log
        assert "Fatal Python error: Aborted" in log


async def test_it_stops_within_its_time(machine: Machine, tmp_path: Path):
    """With a sink that accepts and never answers, a stop ends well, after the drain."""
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")  # nobody accepts
    async with listener, open_rig(tmp_path, accounts=1, venues=("fmex",)) as rig:
        port = listener.socket.getsockname()[1]
        rig.sinks["hung"] = f"{{type: webhook, url: 'http://127.0.0.1:{port}/'}}"
        rig.settings["shutdown"] = "{drain: 2s}"
        move_in(rig, machine)
        machine.run("systemctl", "start", UNIT)
        await rig.wait_live(60)
        rig.set_rate(20)
        await wait_for(lambda: len(rig.delivered()) > 20, "events")

        await trio.to_thread.run_sync(lambda: machine.run("systemctl", "stop", UNIT))

        assert "success" == machine.show(UNIT, "Result")
        assert "0" == machine.show(UNIT, "ExecMainStatus")


def test_log_lines_are_fields_of_the_journal(machine: Machine):
    """`journalctl -p warning` and `journalctl GATEWAY_SINK=…` find what they should."""
    configure(machine, sinks="{shelf: {type: jsonl, path: shelf.jsonl}}")
    machine.run("systemctl", "start", UNIT)

    [started] = entries(machine, "GATEWAY_EVENT=sink_started", "GATEWAY_SINK=shelf")
    assert "6" == started["PRIORITY"]
    assert "gateway" == started["SYSLOG_IDENTIFIER"]
    warned = entries(machine, "--priority=warning", "GATEWAY_EVENT=config_warning")
    assert "4" == warned[-1]["PRIORITY"]
    assert "no account is enabled" in warned[-1]["MESSAGE"]


def test_credentials_reach_the_service_and_nobody_else(machine: Machine):
    """A loaded and an encrypted credential are read; others see neither them nor the state."""
    machine.write("/etc/gateway/credentials/fmex.key", "key-of-fmex", 0o600)
    encrypted = "/etc/gateway/credentials/fmex.secret.cred"
    machine.write("/root/plain", SECRET, 0o600)
    machine.run("systemd-creds", "encrypt", "--name=fmex.secret", "/root/plain", encrypted)
    drop_in(
        machine,
        "LoadCredential=fmex.key:/etc/gateway/credentials/fmex.key",
        f"LoadCredentialEncrypted=fmex.secret:{encrypted}",
    )
    configure(machine, accounts=account("fmex.key", "fmex.secret"))

    machine.run("systemctl", "start", UNIT)

    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    inside = f"/run/credentials/{UNIT}/fmex.secret"
    assert SECRET == machine.run("cat", inside)
    for path in (inside, encrypted, f"{STATE}/journal.db"):
        assert machine.try_run(*nobody, "cat", path).returncode != 0
    pid = machine.show(UNIT, "MainPID")
    assert SECRET not in machine.run("cat", f"/proc/{pid}/environ", f"/proc/{pid}/cmdline")
    assert SECRET not in machine.run("journalctl", "--boot", "--output=export", "--all")
    assert SECRET not in machine.run("systemctl", "show", UNIT)


def account(key: str, secret: str) -> str:
    """An account whose venue nobody serves."""
    return (
        "{hedge: {venue: fmex, endpoints: {rest: 'http://127.0.0.1:1', websocket:"
        f" 'ws://127.0.0.1:1', sign: 'http://127.0.0.1:1'}}, credentials: {{api_key: {{credential:"
        f" {key}}}, secret: {{credential: {secret}}}}}}}}}"
    )


def test_a_secret_that_is_missing_is_not_tried_again(machine: Machine):
    """Exit 77, with the option and what to do; systemd leaves it at that."""
    configure(machine, accounts=account("absent", "absent"))

    assert machine.try_run("systemctl", "start", UNIT).returncode != 0
    assert "77" == machine.show(UNIT, "ExecMainStatus")
    assert "0" == machine.show(UNIT, "NRestarts")
    log = machine.run("journalctl", "--unit", UNIT, "--lines=5", "--output=cat")
    assert "accounts.hedge" in log
    assert "LoadCredential=absent" in log


def test_a_reload_that_needs_a_new_credential_says_so(machine: Machine):
    """Credentials are fixed at start: the refusal names the restart that it takes."""
    machine.write("/etc/gateway/credentials/fmex.key", "key-of-fmex", 0o600)
    drop_in(machine, "LoadCredential=fmex.key:/etc/gateway/credentials/fmex.key")
    configure(machine)
    machine.run("systemctl", "start", UNIT)

    configure(machine, accounts=account("fmex.key", "fmex.secret"))
    refused = machine.try_run("gateway", "reload")

    assert refused.returncode != 0
    assert "LoadCredential=fmex.secret" in refused.stderr
    assert "restart" in refused.stderr


def test_operators_need_no_sudo(machine: Machine):
    """With operators.conf the group may ask; the state moves over; strangers stay out."""
    configure(machine)
    machine.run("systemctl", "start", UNIT)
    epoch = epoch_of(machine)
    for command in ["useradd ann", "useradd bob", *recipe("useradd", "usermod")]:
        machine.run("sh", "-c", command.replace("YOU", "ann"))
    machine.run(
        "install", "-D", "-m644", "-t", DROP_IN, f"{machines.SOURCE}/systemd/operators.conf"
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", UNIT)

    asked = machine.try_run("runuser", "-u", "ann", "--", "gateway", "status")
    assert 0 == asked.returncode, asked.stderr
    machine.run("runuser", "-u", "ann", "--", "gateway", "reload")
    machine.run("runuser", "-u", "ann", "--", "gateway", "tail", "-n", "1")
    assert epoch == epoch_of(machine)
    assert machine.try_run("runuser", "-u", "bob", "--", "gateway", "status").returncode == 2


def recipe(*words: str) -> list[str]:
    """The commands in the head of operators.conf that begin with one of these."""
    text = (machines.REPOSITORY / "systemd/operators.conf").read_text()
    lines = [line.removeprefix("#").strip() for line in text.splitlines()]
    return [line for line in lines if line.startswith(words)]


def epoch_of(machine: Machine) -> str:
    """Which journal it is."""
    return str(json.loads(machine.run("gateway", "journal", "info", "--json"))["epoch"])


def test_several_gateways_live_side_by_side(machine: Machine):
    """Two instances of gateway@.service have a state, a user and a configuration each."""
    names = ("left", "right")
    for name in names:
        text = f"name: {name}\nstate_dir: /var/lib/gateway-{name}\nhttp: null\n"
        machine.write(f"/etc/gateway/{name}.yaml", text + "accounts: {}\nsinks: {}\n")
    machine.run("systemctl", "start", *(f"gateway@{name}" for name in names))

    for name in names:
        told = machine.run("gateway", "status", "-c", f"/etc/gateway/{name}.yaml")
        assert told.startswith(name)


def test_an_upgrade_leaves_the_running_one_alone(machine: Machine, distributions: Distributions):
    """Installing again touches neither the running process nor the configuration."""
    configure(machine)
    machine.run("systemctl", "start", UNIT)
    pid, before = machine.show(UNIT, "MainPID"), machine.path(CONFIG).read_text()
    old = machine.run("readlink", "-f", "/usr/local/bin/gateway")

    install(machine, distributions.wheel)

    assert pid == machine.show(UNIT, "MainPID")
    assert before == machine.path(CONFIG).read_text()
    assert old != machine.run("readlink", "-f", "/usr/local/bin/gateway")
    machine.run("systemctl", "restart", UNIT)
    assert "active" == machine.show(UNIT, "ActiveState")
