"""A webhook's receiver for hundred thousands of events: it keeps ids, not bodies.

It stands on the receiver that the sink's own tests use, so it speaks real HTTP.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
import trio

from tests.doubles.receiver import Post, Receiver, Reply, open_receiver


class Brief(msgspec.Struct, frozen=True, gc=False):
    """As much of an event as a desk keeps."""

    id: str
    seq: int
    received_time: datetime


Mood = Callable[[list[Brief]], Reply]
"""What a desk answers to a request with these events."""


def content(_: list[Brief]) -> Reply:
    """Take everything."""
    return Reply()


class Desk:
    """What a consumer holds, and how it feels about more."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.mood: Mood = content
        self.ids: list[str] = []
        """Of what it took, in order of arrival, repeats included."""
        self.seqs: list[int] = []
        self.ages: list[float] = []
        """Seconds from the frame that told an event to its arrival here."""
        self.tries: list[float] = []
        """When requests came, whatever they were answered."""
        self.message_ids: list[str] = []
        """The `webhook-id` of each request."""
        receiver.reply = self._reply

    def sink(self, **options: str) -> str:
        """The sink that leads here, as it stands in gateway.yaml."""
        given = {
            "type": "webhook",
            "url": f'"{self.receiver.url}"',
            "mode": "batch",
            "start": "earliest",
            "retry": "{initial: 50ms, max: 1s}",
        } | options
        return "{" + ", ".join(f"{name}: {value}" for name, value in given.items()) + "}"

    def forget(self) -> None:
        """Keep nothing of what came: a run of hours would not fit into memory."""
        for kept in (self.ids, self.seqs, self.ages, self.tries, self.message_ids):
            kept.clear()

    def first_ids(self) -> list[str]:
        """Each id once, in order of its first arrival."""
        return list(dict.fromkeys(self.ids))

    def _reply(self, post: Post) -> Reply:
        self.tries.append(trio.current_time())
        self.message_ids.append(post.headers["webhook-id"])
        briefs = _read(post.body)
        reply = self.mood(briefs)
        if 200 <= reply.status < 300:
            now = time.time()
            for brief in briefs:
                self.ids.append(brief.id)
                self.seqs.append(brief.seq)
                self.ages.append(now - brief.received_time.timestamp())
        # Bodies of a long run would fill the memory of the test.
        self.receiver.posts.clear()
        self.receiver.accepted.clear()
        return reply


def _read(body: bytes) -> list[Brief]:
    if body.startswith(b"["):
        return msgspec.json.decode(body, type=list[Brief])
    return [msgspec.json.decode(body, type=Brief)]


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of all stay below."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


@asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    """A desk that is up."""
    async with open_receiver() as receiver:
        yield Desk(receiver)
