"""What systemd hears."""

import os
import socket
from pathlib import Path

import pytest

from gateway import systemd


@pytest.fixture
def ear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def test_each_message_has_the_words_that_systemd_knows(ear: socket.socket):
    """READY, STATUS, RELOADING, STOPPING and WATCHDOG, one datagram each."""
    systemd.ready("2 of 2 accounts live")
    systemd.status("line\nbreak")
    systemd.reloading()
    systemd.stopping()
    systemd.alive()

    heard = [ear.recv(1000).decode() for _ in range(5)]
    assert heard[:2] == ["READY=1\nSTATUS=2 of 2 accounts live", "STATUS=line break"]
    assert heard[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[2].rpartition("=")[2].isdigit()
    assert heard[3:] == ["STOPPING=1", "WATCHDOG=1"]


def test_a_start_that_takes_long_asks_for_patience(ear: socket.socket):
    """Systemd counts in microseconds."""
    systemd.starting("journal blocked", 1.5)

    assert b"EXTEND_TIMEOUT_USEC=1500000\nSTATUS=journal blocked" == ear.recv(1000)


def test_an_abstract_socket_is_understood(monkeypatch: pytest.MonkeyPatch):
    """Systemd writes its first byte as @."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0gateway-test-{os.getpid()}")
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@gateway-test-{os.getpid()}")
        systemd.alive()

        assert listener.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("value", [None, "", "relative", "/nowhere/at/all"])
def test_without_a_listener_nothing_happens(value: str | None, monkeypatch: pytest.MonkeyPatch):
    """Started by hand, or with systemd gone: no error."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if value is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", value)

    systemd.ready("fine")


@pytest.mark.parametrize(
    ("allowed", "pid", "expected"),
    [
        ("30000000", None, 15.0),
        ("30000000", "ours", 15.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("x", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time(
    allowed: str | None, pid: str | None, expected: float | None, monkeypatch: pytest.MonkeyPatch
):
    """Only where systemd watches, and watches this process."""
    for name, value in (("WATCHDOG_USEC", allowed), ("WATCHDOG_PID", pid)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, str(os.getpid()) if value == "ours" else value)

    assert systemd.watchdog_seconds() == expected
