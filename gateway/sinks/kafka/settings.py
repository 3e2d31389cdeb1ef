"""Options of a `kafka` sink."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gateway.contracts.values import Bytes, Secret
from gateway.sinks.extras import missing_extra
from gateway.sinks.patterns import pattern_problems
from gateway.sinks.peers import peer_problems

CLIENT: Final = "confluent_kafka"
EXTRA: Final = "kafka"
DEFAULT_PORT: Final = 9092
LEGAL_IN_TOPIC: Final = r"[A-Za-z0-9._-]"
LONGEST_TOPIC: Final = 249


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `kafka` sink."""

    servers: tuple[str, ...]
    """`HOST:PORT` of some brokers; they tell of the others."""
    username: str | None = None
    """For brokers that ask for a user (SASL)."""
    password: Secret | None = None
    """The user's password."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How the password is shown to the broker."""
    tls: bool = False
    """Speak TLS, and verify the brokers' certificates and names."""
    ca_file: Path | None = None
    """Trust the certificates in this PEM file, instead of those that the system trusts."""
    topic: str = "gateway.{kind}"
    """Where an event goes; `{account}`, `{kind}` and `{symbol}` are filled in."""
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"
    """How batches are compressed."""
    max_message: Annotated[Bytes, msgspec.Meta(ge=1000)] = Bytes(8 << 20)
    """Nothing larger is sent; the brokers have a limit of their own, 1 MiB by default."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        yield from missing_extra(CLIENT, extra=EXTRA)
        yield from peer_problems("servers", self.servers, DEFAULT_PORT)
        yield from pattern_problems("topic", self.topic, LEGAL_IN_TOPIC)
        if len(self.topic) > LONGEST_TOPIC:
            yield "topic", f"longer than {LONGEST_TOPIC} characters"
        if (self.username is None) != (self.password is None):
            missing = "password" if self.password is None else "username"
            yield missing, "`username` and `password` go together"
        elif self.password is not None and self.mechanism == "PLAIN" and not self.tls:
            yield "mechanism", "PLAIN shows the password to the network: use `tls: true`"
