"""Options of a `nats` sink."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec

from gateway.contracts.values import Bytes, Seconds, Secret
from gateway.sinks.extras import missing_extra
from gateway.sinks.patterns import pattern_problems
from gateway.sinks.peers import peer_problems

CLIENT: Final = "nats"
EXTRA: Final = "nats"
DEFAULT_PORT: Final = 4222

LEGAL_IN_SUBJECT: Final = r"[^\s*>]"
LEGAL_IN_VALUE: Final = r"[^\s*>.]"
"""A dot begins another token, so that no value may bring one."""
_STREAM_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)


class NatsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Options of a `nats` sink."""

    servers: tuple[str, ...]
    """`HOST:PORT` of some servers of one cluster."""
    username: str | None = None
    """For servers that ask for a user."""
    password: Secret | None = None
    """The user's password; without `username` a token."""
    credentials_file: Path | None = None
    """A `.creds` file (a user's JWT and seed), instead."""
    tls: bool = False
    """Speak TLS, and verify the server's certificate."""
    ca_file: Path | None = None
    """Trust the certificates in this PEM file, instead of those that the system trusts."""
    subject: str = "gateway.{account}.{kind}.{symbol}"
    """Where an event goes; `{account}`, `{kind}` and `{symbol}` are filled in."""
    stream: str = "gateway"
    """The JetStream stream that keeps the subjects."""
    create_stream: bool = True
    """Create the stream if it is missing; one that is there is left as it is."""
    duplicate_window: Annotated[Seconds, msgspec.Meta(gt=0)] = Seconds(7200)
    """How long the stream recognises an event that comes again: of a created one; of one that is
    there `gateway check --connect` tells if it is less."""
    max_age: Annotated[Seconds, msgspec.Meta(gt=0)] | None = None
    """Of a created stream: how long events are kept; by default for good."""
    max_size: Annotated[Bytes, msgspec.Meta(ge=1)] | None = None
    """Of a created stream: how large it may grow before the oldest events go."""
    replicas: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    """Of a created stream: on how many servers of the cluster it is."""

    @property
    def wildcard(self) -> str:
        """All subjects that events may go to. NATS knows wildcards for whole parts only."""
        return ".".join("*" if "{" in part else part for part in self.subject.split("."))

    def problems(self) -> Iterator[tuple[str, str]]:
        """Mistakes that no type shows: the key, and what is wrong with it."""
        yield from missing_extra(CLIENT, extra=EXTRA)
        yield from peer_problems("servers", self.servers, DEFAULT_PORT)
        yield from pattern_problems("subject", self.subject, LEGAL_IN_SUBJECT)
        if self.subject and not all(self.subject.split(".")):
            yield "subject", "a part between dots is empty"
        if not _STREAM_NAME.fullmatch(self.stream):
            yield "stream", "letters, digits, - and _"
        if self.max_age is not None and self.duplicate_window > self.max_age:
            yield "duplicate_window", "cannot be longer than `max_age`"
        if self.credentials_file is not None and (self.username or self.password):
            yield "credentials_file", "stands in place of `username` and `password`"
        elif self.username is not None and self.password is None:
            yield "password", "a user needs one"
