"""One session with a broker: connected, given a batch, waited for, thrown away after trouble.

Everything here blocks and is called in a thread, one call at a time. The library's own
thread reads and writes the socket and reports by callbacks; `stop` is what another thread
sets to end a call.
"""

import math
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from gateway.contracts.sink import ACCEPTED, UNTRIED, Item, Later, Refused, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.mqtt.settings import DEFAULT_PORT, LEGAL_IN_LEVEL, MqttSettings
from gateway.sinks.patterns import Pattern
from gateway.sinks.peers import parse_peer, trust

SEND_SHARE: Final = 0.8
"""Share of the time limit in which a delivery ends by itself, saying why."""
POLL_SECONDS: Final = 0.05
"""How soon a cancelled call ends. Acknowledgements wake it at once."""
KEEPALIVE_SECONDS: Final = 30
AT_LEAST_ONCE: Final = 1
MAX_IN_FLIGHT: Final = 65_535
"""Messages sent and not yet acknowledged: the broker's own `receive maximum` is what counts."""
AT_ONCE: Final = 1_000
"""Messages handed to the library at a time: at each acknowledgement it looks through all that
still wait, so that 65,000 of them came to 70 a second, and it has no more numbers for them."""
HEADER_BYTES: Final = 16
"""Of a packet, beside topic and event: ours has fewer."""
ABOUT_THE_MESSAGE: Final = {0x90: "topic", 0x95: "too_large", 0x99: "payload"}
"""Reason codes (MQTT 5, 2.4) that no repeat changes, and their word in the metric."""
PROTOCOL_ERROR: Final = 0x82
ABOUT_THE_USER: Final = frozenset({0x86, 0x87})


class Session:
    """Publishes batches; a connection is kept from one to the next while all goes well."""

    def __init__(self, settings: MqttSettings, timeout_seconds: float) -> None:
        self._settings = settings
        self._timeout_seconds = timeout_seconds
        self._topic = Pattern(settings.topic, LEGAL_IN_LEVEL)
        self._client: Client | None = None
        self._news = threading.Condition()
        self._connected = False
        self._ended: str | None = None
        """Why the connection is no more."""
        self._is_protocol_error = False
        self._is_suspicious = False
        """The connection ended in the middle of the last batch."""
        self._largest_packet = math.inf
        """What the broker takes, in bytes."""
        self._answers: dict[int, Verdict] = {}
        """By message id."""

    def send(self, items: Sequence[Item], stop: threading.Event) -> list[Verdict]:
        """Publish all in order, and give a verdict for each. Raises `SinkUnavailable`.

        A broker may end the connection over one message. So after such an end the first that
        waits goes out alone; Mosquitto answers a message above its `message_size_limit` with
        a code that MQTT has not, which the library takes for an error of the protocol.
        """
        is_alone = self._is_suspicious
        verdicts = self._send_all(items[: 1 if is_alone else AT_ONCE], stop)
        if is_alone and self._is_protocol_error and isinstance(verdicts[0], Later):
            verdicts = [
                Refused(reason="protocol", excerpt="the broker ended the connection over it")
            ]
        waits = isinstance(verdicts[-1], Later)
        self._is_suspicious = waits and self._ended is not None
        behind = verdicts[-1] if waits else UNTRIED
        return [*verdicts, *[behind] * (len(items) - len(verdicts))]

    def _send_all(self, items: Sequence[Item], stop: threading.Event) -> list[Verdict]:
        deadline = time.monotonic() + SEND_SHARE * self._timeout_seconds
        found: list[Verdict] = []
        try:
            client = self.connect(deadline, stop)
            self._answers.clear()
            sent = [self._publish(client, item) for item in items]
            expected = sum(isinstance(one, int) for one in sent)
            self._wait(lambda: len(self._answers) >= expected, deadline, stop)
            late = Later(reason=self._ended or "not acknowledged in time")
            found = [self._answers.get(one, late) if isinstance(one, int) else one for one in sent]
            return found
        finally:
            if not found or any(isinstance(one, Later) for one in found):
                self.close()

    def connect(self, deadline: float, stop: threading.Event) -> Client:
        """Connect and log in, unless that is done. Raises `SinkUnavailable`."""
        if self._client is not None and self._ended is not None:
            self.close()
        if self._client is None:
            self._connected, self._ended, self._is_protocol_error = False, None, False
            self._client = self._make()
            problem = self._try_to_connect(self._client)
            if problem is not None:
                raise SinkUnavailable(f"cannot connect: {problem}")
            self._client.loop_start()
        if not self._wait(lambda: self._connected, deadline, stop):
            raise SinkUnavailable(self._ended or "the broker does not answer")
        return self._client

    def close(self) -> None:
        """Let the connection go; the next call makes another."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, ValueError):
                client.disconnect()
            client.loop_stop()

    def _try_to_connect(self, client: Client) -> str | None:
        """What goes wrong. As words: the error itself would keep the library's socket open."""
        peer = parse_peer(self._settings.server, DEFAULT_PORT)
        try:
            client.connect(peer.host, peer.port, keepalive=KEEPALIVE_SECONDS)
        except (OSError, ValueError) as error:
            return str(error)
        return None

    def _make(self) -> Client:
        settings = self._settings
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5, reconnect_on_failure=False)
        client.max_inflight_messages_set(MAX_IN_FLIGHT)
        client.connect_timeout = max(0.1, SEND_SHARE * self._timeout_seconds)
        if settings.username is not None:
            password = None if settings.password is None else settings.password.read()
            client.username_pw_set(settings.username, password)
        if settings.tls:
            client.tls_set_context(trust(settings.ca_file))
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        return client

    def _publish(self, client: Client, item: Item) -> int | Refused:
        topic = self._topic.name_for(item.record)
        if len(item.body) + len(topic.encode()) + HEADER_BYTES > self._largest_packet:
            # Sent all the same, it would end the connection, now and whenever it came again.
            return Refused(reason="too_large", excerpt="above the broker's maximum packet size")
        # Without our lock: the library calls back while it holds locks that this call takes.
        info = client.publish(topic, item.body, AT_LEAST_ONCE, retain=self._settings.retain)
        if info.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:
            self._answers[info.mid] = Later(reason=info.rc.name)
        return info.mid

    def _wait(self, is_true: Any, deadline: float, stop: threading.Event) -> bool:
        with self._news:
            while not is_true():
                if self._ended is not None or stop.is_set() or time.monotonic() >= deadline:
                    return False
                self._news.wait(POLL_SECONDS)
        return True

    def _on_connect(self, _client: Client, _data: Any, _flags: Any, code: Any, told: Any) -> None:
        with self._news:
            self._largest_packet = getattr(told, "MaximumPacketSize", math.inf)
            if code.is_failure:
                self._ended = describe(code)
            else:
                self._connected = True
            self._news.notify_all()

    def _on_publish(self, _client: Client, _data: Any, mid: int, code: Any, _: Any) -> None:
        with self._news:
            self._answers[mid] = _verdict(code)
            self._news.notify_all()

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, code: Any, _: Any) -> None:
        with self._news:
            self._is_protocol_error = code.value == PROTOCOL_ERROR
            self._ended = self._ended or f"the connection ended: {code}"
            self._news.notify_all()


def _verdict(code: ReasonCode) -> Verdict:
    if not code.is_failure:
        return ACCEPTED
    word = ABOUT_THE_MESSAGE.get(code.value)
    if word is not None:
        return Refused(reason=word, excerpt=describe(code))
    return Later(reason=describe(code))


def describe(code: ReasonCode) -> str:
    """What the broker says, and what to do about it."""
    if code.value in ABOUT_THE_USER:
        return f"{code} (look at `username` and `password`, and at what that user may publish)"
    return str(code)
