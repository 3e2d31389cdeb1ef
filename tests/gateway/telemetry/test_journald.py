"""Log lines as journald gets them."""

import os
import socket
import sys
from pathlib import Path

import pytest

from gateway.telemetry import journald
from gateway.telemetry.redaction import REDACTOR


def fields(**given: object) -> dict[str, str]:
    """An entry as it would be sent."""
    return journald.render(None, "info", dict(given))


def test_an_entry_has_a_text_a_priority_and_our_fields():
    """Everything that a happening carries can be matched by `journalctl`."""
    entry = fields(event="sink_failing", level="warning", sink="desk", why="no route")

    assert 'sink_failing sink=desk why="no route"' == entry["MESSAGE"]
    assert "4" == entry["PRIORITY"]
    assert "desk" == entry["GATEWAY_SINK"]
    assert "sink_failing" == entry["GATEWAY_EVENT"]


def test_a_traceback_stays_one_entry():
    """It follows the line it belongs to."""
    entry = fields(event="gateway_crashed", level="error", exception="Traceback\n  here")

    assert "gateway_crashed\nTraceback\n  here" == entry["MESSAGE"]
    assert "3" == entry["PRIORITY"]


def test_no_field_shows_a_secret():
    """Neither the text nor a field of its own does."""
    REDACTOR.add("canary-of-journald")

    entry = fields(event="told", level="info", detail="with canary-of-journald inside")

    assert "canary-of-journald" not in str(entry)
    assert "with" in entry["GATEWAY_DETAIL"]


def test_the_native_form_survives_line_breaks():
    """A value with a line break is sent with its length, as the protocol has it."""
    assert b"A=1\n" == journald.encode({"A": "1"})
    assert b"A\n\x03\0\0\0\0\0\0\x001\n2\n" == journald.encode({"A": "1\n2"})


def test_entries_go_to_the_socket(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Sent as one datagram; without anybody there, the text goes to stderr instead."""
    address = str(tmp_path / "journal")
    logger = journald.JournalLogger(sys.stderr, address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        logger.info(MESSAGE="first", PRIORITY="6")
        assert b"MESSAGE=first\nPRIORITY=6\n" == receiver.recv(1000)

    logger.info(MESSAGE="second", PRIORITY="6")
    assert "second\n" == capsys.readouterr().err
    logger.close()


def test_only_systemds_own_stream_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Stderr that somebody sent elsewhere is written to as text."""
    with (tmp_path / "log").open("w") as stream:
        monkeypatch.setenv("JOURNAL_STREAM", "1:2")
        assert not journald.is_behind(stream)
        there = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
        assert journald.is_behind(stream)
