"""Options of an `mqtt` sink."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.contracts.values import Secret
from gateway.sinks.extras import missing_extra
from gateway.sinks.patterns import pattern_problems
from gateway.sinks.peers import parse_peer

CLIENT: Final = "paho.mqtt"
EXTRA: Final = "mqtt"
DEFAULT_PORT: Final = 1883
LEGAL_IN_TOPIC: Final = r"[^\s+#]"
LEGAL_IN_LEVEL: Final = r"[^\s+#/]"
"""A slash begins another level, so that no value may bring one."""


class MqttSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of an `mqtt` sink."""

    server: str
    """`HOST:PORT` of the broker."""
    username: str | None = None
    """For brokers that ask for a user."""
    password: Secret | None = None
    """The user's password."""
    tls: bool = False
    """Speak TLS, and verify the broker's certificate and name."""
    ca_file: Path | None = None
    """Trust the certificates in this PEM file, instead of those that the system trusts."""
    topic: str = "gateway/{account}/{kind}/{symbol}"
    """Where an event goes; `{account}`, `{kind}` and `{symbol}` are filled in."""
    retain: bool = False
    """Let the broker keep the last event of each topic for who subscribes later."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        yield from missing_extra("paho", extra=EXTRA)
        try:
            parse_peer(self.server, DEFAULT_PORT)
        except ValueError as error:
            yield "server", str(error)
        yield from pattern_problems("topic", self.topic, LEGAL_IN_TOPIC)
        if self.password is not None and self.username is None:
            yield "username", "`username` and `password` go together"
