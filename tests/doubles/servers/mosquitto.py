"""Mosquitto, an MQTT broker, and a subscriber that keeps what it hears."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from tests.doubles.servers.process import HOST, ServerProcess, free_port, need

PACKAGE = "mosquitto"
HEARD_SECONDS = 20.0


class Mosquitto(ServerProcess):
    """The broker."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._binary = need("mosquitto", PACKAGE)
        super().__init__(self._arguments, folder, "running")

    @property
    def address(self) -> str:
        """As in `server`."""
        return f"{HOST}:{self.port}"

    def _arguments(self) -> list[str]:
        config = self._folder / "mosquitto.conf"
        lines = [f"listener {self.port} {HOST}", "allow_anonymous true", "user root"]
        config.write_text("\n".join([*lines, "max_queued_messages 0", "max_inflight_messages 0"]))
        return [self._binary, "-v", "-c", str(config)]


class Subscriber:
    """Subscribed to everything before the test begins."""

    def __init__(self, port: int) -> None:
        self.heard: list[MQTTMessage] = []
        self._marks = 0
        self._news = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.on_message = lambda _client, _data, message: self._take(message)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect(HOST, port)
        self._client.loop_start()
        self._client.subscribe("#", qos=1)
        assert subscribed.wait(HEARD_SECONDS)

    async def catch_up(self) -> list[MQTTMessage]:
        """All that was published until now: a mark of our own comes after it."""
        await trio.to_thread.run_sync(self._wait_for_mark)
        return list(self.heard)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_message = None  # else a cycle: the library closes its pipe in `__del__`

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
async def open_mosquitto(folder: Path) -> AsyncIterator[tuple[Mosquitto, Subscriber]]:
    """A broker that is up, and somebody who listens."""
    broker = Mosquitto(folder)
    try:
        await broker.start()
        subscriber = Subscriber(broker.port)
        try:
            yield broker, subscriber
        finally:
            subscriber.close()
    finally:
        broker.kill()
