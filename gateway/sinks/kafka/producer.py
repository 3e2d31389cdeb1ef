"""One producer of librdkafka's: made, filled with a batch, waited for, thrown away after trouble.

Everything here blocks and is called in a thread, one call at a time; `stop` is what
another thread sets to end a call.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from gateway.contracts.sink import ACCEPTED, Item, Later, Refused, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.kafka.settings import DEFAULT_PORT, LEGAL_IN_TOPIC, KafkaSettings
from gateway.sinks.patterns import Pattern
from gateway.sinks.peers import parse_peer

SEND_SHARE: Final = 0.8
"""Share of the time limit after which librdkafka gives a message up, so that the delivery
ends by saying why and not by being cut."""
PROBE_SECONDS: Final = 5.0
"""How long `check --connect` waits for a broker."""
PROBE_STEP_SECONDS: Final = 0.5
"""How soon it notices that waiting is in vain."""
POLL_SECONDS: Final = 0.05
"""How soon a cancelled call ends. Acknowledgements wake it at once."""
ABOUT_THE_MESSAGE: Final = {
    KafkaError.MSG_SIZE_TOO_LARGE: "too_large",
    KafkaError.INVALID_RECORD: "invalid_record",
    KafkaError.INVALID_MSG: "invalid_record",
}
"""Errors that no repeat changes, and their word in the metric."""
ALL_DOWN: Final = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001 (names the client's own errors so)
LOGIN_FAILED: Final = KafkaError._AUTHENTICATION  # noqa: SLF001 (the same)
TLS_FAILED: Final = KafkaError._SSL  # noqa: SLF001 (the same)
NO_SUCH_TOPIC: Final = KafkaError._UNKNOWN_TOPIC  # noqa: SLF001 (the same)
GIVEN_UP: Final = KafkaError._PURGE_QUEUE  # noqa: SLF001 (the same)
GIVEN_UP_ON_THE_WAY: Final = KafkaError._PURGE_INFLIGHT  # noqa: SLF001 (the same)

NO_WAY_AHEAD: Final = frozenset({ALL_DOWN, LOGIN_FAILED, TLS_FAILED})
"""Errors after which waiting for acknowledgements is in vain."""
PURGED: Final = frozenset({GIVEN_UP, GIVEN_UP_ON_THE_WAY})
"""What is told of messages that we ourselves gave up, which says nothing of the cause."""
REMEDIES: Final = {
    LOGIN_FAILED: "look at `username`, `password` and `mechanism`",
    KafkaError.SASL_AUTHENTICATION_FAILED: "look at `username`, `password` and `mechanism`",
    NO_SUCH_TOPIC: "make the topic, or let the brokers make it",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "make the topic, or let the brokers make it",
}
"""What to do about some errors."""

_SILENT: Final = logging.getLogger("gateway.sinks.kafka.client")
_SILENT.setLevel(logging.CRITICAL)


class Cluster(msgspec.Struct, frozen=True):
    """What a probe found."""

    brokers: int
    topics: frozenset[str]


class Sender:
    """Sends batches; a producer is kept from one to the next while all goes well."""

    def __init__(self, settings: KafkaSettings, timeout_seconds: float) -> None:
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._topic = Pattern(settings.topic, LEGAL_IN_TOPIC)
        self._producer: Producer | None = None
        self._trouble: KafkaError | None = None
        self._hopeless = False

    def send(self, items: Sequence[Item], stop: threading.Event) -> list[Verdict]:
        """Send all in order, and give a verdict for each once every one is known."""
        self._trouble, self._hopeless = None, False
        verdicts: list[Verdict | None] = [None] * len(items)
        try:
            if self._producer is None:
                self._producer = Producer(self._options(), logger=_SILENT)
            for place, item in enumerate(items):
                self._produce(self._producer, item, verdicts, place, stop)
            self._wait(self._producer, verdicts, stop)
        except KafkaException as error:
            raise SinkUnavailable(describe(error.args[0])) from None
        finally:
            if any(one is None or isinstance(one, Later) for one in verdicts):
                self.close()
        unknown = Later(reason=self._why())
        return [unknown if one is None else one for one in verdicts]

    def look(self) -> Cluster:
        """Log in, and tell what is there. Raises `SinkUnavailable`."""
        deadline = time.monotonic() + min(PROBE_SECONDS, self._timeout_seconds)
        producer = Producer(self._options(), logger=_SILENT)
        while True:
            try:
                # Asking for all makes none; asking for one by name may make it.
                found = producer.list_topics(timeout=PROBE_STEP_SECONDS)
                return Cluster(len(found.brokers), frozenset(found.topics))
            except KafkaException as error:
                producer.poll(0)  # what went wrong is told to `_note`
                if self._hopeless or time.monotonic() >= deadline:
                    raise SinkUnavailable(describe(self._trouble or error.args[0])) from None

    def close(self) -> None:
        """Forget the producer and what it has not sent; the next call makes another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge(in_queue=True, in_flight=True, blocking=False)
            producer.poll(0)

    def _produce(
        self,
        producer: Producer,
        item: Item,
        verdicts: list[Verdict | None],
        place: int,
        stop: threading.Event,
    ) -> None:
        record = item.record

        def report(error: KafkaError | None, _message: Message) -> None:
            if error is None or error.code() not in PURGED:
                verdicts[place] = ACCEPTED if error is None else _verdict(error)

        while not self._in_vain(stop):
            try:
                producer.produce(
                    self._topic.name_for(record),
                    item.body,
                    key=record.account,
                    headers={"id": record.id, "kind": record.kind.value, "seq": str(record.seq)},
                    on_delivery=report,
                )
            except BufferError:
                producer.poll(POLL_SECONDS)  # the queue is full: let some of it go first
            except KafkaException as error:
                verdicts[place] = _verdict(error.args[0])
                return
            else:
                producer.poll(0)
                return

    def _wait(
        self, producer: Producer, verdicts: list[Verdict | None], stop: threading.Event
    ) -> None:
        deadline = time.monotonic() + self._timeout_seconds
        while None in verdicts and not self._in_vain(stop) and time.monotonic() < deadline:
            producer.poll(POLL_SECONDS)

    def _in_vain(self, stop: threading.Event) -> bool:
        return stop.is_set() or self._hopeless

    def _note(self, error: KafkaError) -> None:
        self._hopeless = self._hopeless or error.code() in NO_WAY_AHEAD
        # "All brokers are down" follows the error that says why.
        if self._trouble is None or error.code() != ALL_DOWN:
            self._trouble = error

    def _why(self) -> str:
        return "not acknowledged in time" if self._trouble is None else describe(self._trouble)

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        peers = [parse_peer(server, DEFAULT_PORT) for server in settings.servers]
        options: dict[str, Any] = {
            "bootstrap.servers": ",".join(str(peer) for peer in peers),
            "client.id": "exchange-event-gateway",
            "enable.idempotence": True,  # in order and once, whatever is sent again on the way
            "acks": "all",
            "linger.ms": 0,  # a batch is handed over at once; there is nothing to wait for
            "message.timeout.ms": max(1, int(SEND_SHARE * self._timeout_seconds * 1000)),
            "message.max.bytes": settings.max_message,
            "compression.type": settings.compression,
            "error_cb": self._note,
            "security.protocol": _protocol(settings),
        }
        if settings.ca_file is not None:
            options["ssl.ca.location"] = str(settings.ca_file)
        if settings.username is not None and settings.password is not None:
            options["sasl.mechanism"] = settings.mechanism
            options["sasl.username"] = settings.username
            options["sasl.password"] = settings.password.read()
        return options


def _protocol(settings: KafkaSettings) -> str:
    if settings.username is not None:
        return "SASL_SSL" if settings.tls else "SASL_PLAINTEXT"
    return "SSL" if settings.tls else "PLAINTEXT"


def _verdict(error: KafkaError) -> Verdict:
    word = ABOUT_THE_MESSAGE.get(error.code())
    if word is not None:
        return Refused(reason=word, excerpt=describe(error))
    return Later(reason=describe(error))


def describe(error: KafkaError) -> str:
    """What an error says, and what to do about it."""
    text = " ".join(error.str().split())
    remedy = REMEDIES.get(error.code())
    return text if remedy is None else f"{text} ({remedy})"
