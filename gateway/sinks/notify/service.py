"""Apprise behind a wall: one service that takes messages, or says why not.

Everything here blocks and is called in a thread. Apprise answers yes or no and logs the
reason, so the reason is read from its log.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from gateway.errors import SinkUnavailable
from gateway.sinks.extras import load_client

_LOGGER: Final = "apprise"
_UNKNOWN: Final = (
    "url: not an address that Apprise knows; see https://github.com/caronc/apprise/wiki"
)


class Service:
    """One address of one service."""

    def __init__(self, plugin: Any, apprise: Any, clean: Callable[[str], str]) -> None:
        self._plugin = plugin
        self._apprise = apprise
        self._clean = clean

    @property
    def name(self) -> str:
        """What the service is called."""
        return str(self._plugin.service_name)

    def send(self, title: str, text: str, *, urgent: bool) -> None:
        """Send a message. Raises `SinkUnavailable` with what Apprise logged."""
        types = self._apprise.NotifyType
        with _Listener() as listener:
            sent = self._plugin.notify(
                title=title,
                body=text,
                notify_type=types.WARNING if urgent else types.INFO,
                # Whatever a venue wrote is text, and is escaped where a service wants HTML.
                body_format=self._apprise.NotifyFormat.TEXT,
            )
        if not sent:
            reason = "; ".join(listener.lines) or "it gave no reason"
            raise SinkUnavailable(f"{self.name}: {self._clean(reason)}")


def open_service(url: str, clean: Callable[[str], str]) -> Service:
    """The service behind an address; nothing is sent yet.

    Raises `ExtraMissing` and `SinkUnavailable`; neither shows the address.
    """
    apprise: Any = load_client("apprise", extra="notify")
    logging.getLogger(_LOGGER).propagate = False
    with _Listener():
        plugin = apprise.Apprise.instantiate(url)
    if plugin is None:
        raise SinkUnavailable(_UNKNOWN)
    return Service(plugin, apprise, clean)


def secrets_of(url: str) -> Iterator[str]:
    """Parts of an address that may be tokens; services put them nearly anywhere."""
    yield url
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    for part in (*parts.netloc.replace("@", ":").split(":"), *parts.path.split("/")):
        if "." not in part:  # a host, which an error may name
            yield part
    yield from (value for _, value in parse_qsl(parts.query))


class _Listener(logging.Handler):
    """Hears what the library logs in this thread, while other sinks use it in theirs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        if record.thread == self._thread:
            self.lines.append(record.getMessage())

    def __enter__(self) -> "_Listener":
        logging.getLogger(_LOGGER).addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger(_LOGGER).removeHandler(self)
