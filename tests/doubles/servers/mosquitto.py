"""Mosquitto, an MQTT broker, and a subscriber that keeps what it hears."""

import signal
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.doubles.servers.certificates import Certificates
from tests.doubles.servers.process import HOST, ServerProcess, free_port, need

PACKAGE = "mosquitto"
USER = "desk"
HEARD_SECONDS = 20.0


class Mosquitto(ServerProcess):
    """The broker: a door for everybody, and where there are certificates one for `USER` by TLS."""

    def __init__(self, folder: Path, certificates: Certificates | None = None) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self._folder, self._certificates = folder, certificates
        self.limits: list[str] = []
        """Lines of its configuration."""
        self._binary = need("mosquitto", PACKAGE)
        super().__init__(self._arguments, folder, "running")

    @property
    def address(self) -> str:
        """As in `server`."""
        return f"{HOST}:{self.port}"

    def _arguments(self) -> list[str]:
        config = self._folder / "mosquitto.conf"
        lines = [*self.limits, "per_listener_settings true", f"listener {self.port} {HOST}"]
        lines += ["allow_anonymous true", "user root"]
        lines += ["max_queued_messages 0", "max_inflight_messages 0"]
        if self._certificates is not None:
            lines += [f"listener {self.tls_port} {HOST}", "allow_anonymous false"]
            lines += [f"password_file {self._folder / 'passwords'}"]
            lines += [f"certfile {self._certificates.certificate}"]
            lines += [f"keyfile {self._certificates.key}"]
        config.write_text("\n".join(lines))
        return [self._binary, "-v", "-c", str(config)]

    def set_password(self, password: str) -> None:
        """Of `USER`; a broker that runs ends the connections that it fits no more."""
        command = [need("mosquitto_passwd", PACKAGE), "-c", "-b"]
        subprocess.run([*command, self._folder / "passwords", USER, password], check=True)
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)


class Subscriber:
    """Subscribed to everything before the test begins."""

    def __init__(self, port: int) -> None:
        self.heard: list[MQTTMessage] = []
        self._marks = 0
        self._news = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.on_message = lambda _client, _data, message: self._take(message)
        self._subscribed = threading.Event()
        self._client.on_connect = lambda *_: self._client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_disconnect = lambda *_: self._subscribed.clear()
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.connect(HOST, port)
        self._client.loop_start()
        self.wait_subscribed()

    def wait_subscribed(self) -> None:
        """Until it hears, anew after the broker was away."""
        assert self._subscribed.wait(HEARD_SECONDS)

    async def catch_up(self) -> list[MQTTMessage]:
        """All that was published until now: a mark of our own comes after it."""
        await trio.to_thread.run_sync(self._wait_for_mark)
        return list(self.heard)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()
        for name in ("on_message", "on_connect", "on_subscribe", "on_disconnect"):
            setattr(
                self._client, name, None
            )  # else a cycle: the library closes its pipe in `__del__`

    def _take(self, message: MQTTMessage) -> None:
        with self._news:
            if message.topic == "mark":
                self._marks += 1
                self._news.notify_all()
            else:
                self.heard.append(message)

    def _wait_for_mark(self) -> None:
        before = self._marks
        self._client.publish("mark", b"", qos=1)
        with self._news:
            assert self._news.wait_for(lambda: self._marks > before, HEARD_SECONDS)


@asynccontextmanager
async def open_mosquitto(
    folder: Path, password: str = "", certificates: Certificates | None = None
) -> AsyncIterator[tuple[Mosquitto, Subscriber]]:
    """A broker that is up, and somebody who listens."""
    broker = Mosquitto(folder, certificates)
    if certificates is not None:
        broker.set_password(password)
    try:
        await broker.start()
        subscriber = Subscriber(broker.port)
        try:
            yield broker, subscriber
        finally:
            subscriber.close()
    finally:
        broker.kill()
