"""A Kafka cluster of librdkafka's own (its mock brokers), in a process that can be paused.

No real broker is to be had as a Debian package. The mock speaks the real protocol over
real sockets, idempotent producers included; it keeps nothing when it ends.
"""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from confluent_kafka import Consumer, Message, TopicPartition

from tests.doubles.servers.process import ServerProcess

PARTITIONS = 4
"""What the mock makes of a topic that it has not met."""
SCRIPT = """
import sys, threading
from confluent_kafka import Producer
options = {"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "log_level": 0}
producer = Producer(options)
[broker] = producer.list_topics(timeout=10).brokers.values()
print(f"serving {broker.host}:{broker.port};", flush=True)
threading.Event().wait()
"""


class KafkaCluster(ServerProcess):
    """One mock broker."""

    def __init__(self, folder: Path) -> None:
        super().__init__(lambda: [sys.executable, "-c", SCRIPT], folder, ";")

    @property
    def address(self) -> str:
        """As in `servers`."""
        found = re.search(r"serving (\S+);", self._log.read_text())
        assert found is not None
        return found[1]

    async def messages(self, topic: str) -> list[Message]:
        """All that a topic holds, partition after partition."""
        return await trio.to_thread.run_sync(self._read, topic)

    def _read(self, topic: str) -> list[Message]:
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "t", "log_level": 0})
        found: list[Message] = []
        try:
            for partition in range(PARTITIONS):
                place = TopicPartition(topic, partition, 0)
                _, end = consumer.get_watermark_offsets(place, timeout=10)
                consumer.assign([place])
                while end > 0 and (not found or _position(found[-1], partition) < end - 1):
                    message = consumer.poll(10)
                    assert message is not None
                    if message.error() is None:
                        found.append(message)
        finally:
            consumer.close()
        return found


def _position(message: Message, partition: int) -> int:
    offset = message.offset()
    return offset if message.partition() == partition and offset is not None else -1


@asynccontextmanager
async def open_kafka_cluster(folder: Path) -> AsyncIterator[KafkaCluster]:
    """A cluster that is up."""
    cluster = KafkaCluster(folder)
    try:
        await cluster.start()
        yield cluster
    finally:
        cluster.kill()
