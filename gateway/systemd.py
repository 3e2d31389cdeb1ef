"""What systemd wants to hear of a service of `Type=notify`.

Without `$NOTIFY_SOCKET` every function here does nothing, so nobody has to ask
whether systemd is there. A dozen lines of our own: the protocol is one datagram.
"""

import os
import socket
import time
from typing import Final

_ABSTRACT: Final = "@"


def starting(status: str, seconds: float) -> None:
    """Not ready yet, and alive: the start may take `seconds` from now on."""
    _notify(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000:.0f}", f"STATUS={status}")


def ready(status: str) -> None:
    """The gateway is journalling."""
    _notify("READY=1", f"STATUS={status}")


def status(text: str) -> None:
    """One line in plain words for `systemctl status`."""
    _notify(f"STATUS={text}")


def reloading() -> None:
    """A reload begins; `ready` ends it."""
    # systemd tells this reload from an earlier one by the time (`Type=notify-reload`).
    _notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def stopping() -> None:
    """An orderly stop begins."""
    _notify("STOPPING=1")


def alive() -> None:
    """The data path answers; call it every `watchdog_seconds`."""
    _notify("WATCHDOG=1")


def watchdog_seconds() -> float | None:
    """How often to call `alive`: at half of what systemd allows. None when it does not watch."""
    allowed = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not allowed.isdigit() or int(allowed) == 0 or watched != str(os.getpid()):
        return None
    return int(allowed) / 2_000_000


def is_listening() -> bool:
    """Tell whether anybody takes what is said here."""
    return os.environ.get("NOTIFY_SOCKET", "").startswith(("/", _ABSTRACT))


def _notify(*lines: str) -> None:
    if not is_listening():
        return
    address = os.environ["NOTIFY_SOCKET"]
    if address.startswith(_ABSTRACT):
        address = "\0" + address.removeprefix(_ABSTRACT)
    # A line break within a status would begin another variable.
    message = "\n".join(line.replace("\n", " ") for line in lines)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), address)
    except OSError:
        # systemd restarting must not stop a gateway; a watchdog ping lost is sent again.
        return
