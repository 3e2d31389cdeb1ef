"""The notify sink keeps the promises of every sink, as far as messages for people can.

Its peer is a receiver of Apprise's `json://` on loopback. What it holds are sentences, each
of which stands for one event; here each delivery is a message of its own (`digest: 0s`).
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.sinks.notify import NotifySettings, open_notify
from gateway.sinks.notify.sentences import sentence
from gateway.sinks.notify.settings import About
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import CANARY, SinkSuite, extreme_events
from tests.doubles.events import fill_event
from tests.doubles.receiver import HOST, Receiver, Reply, open_receiver

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # by Apprise

MOST_FILLS = 400
"""More than any test of the suite delivers."""
SENTENCES = {
    sentence(event): event.id
    for event in (*(fill_event(number) for number in range(MOST_FILLS)), *extreme_events())
}


class NotifyHarness:
    """A receiver on loopback as the service; broken in one of several ways."""

    def __init__(self, receiver: Receiver, folder: Path, broken: str) -> None:
        self._receiver = receiver
        self._broken = broken
        self._settings = NotifySettings(
            url=Secret.of(
                f"json://user:{CANARY}@{HOST}:{receiver.port}/{CANARY}?+x-token={CANARY}"
            ),
            about=tuple(About),
            digest=Seconds(0),
            max_per_minute=60,
            lines=1000,
        )
        self._context = SinkContext(
            name="phone",
            state_dir=folder,
            options=SinkOptions(type="notify"),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sink]:
        """The sink in front of it; both are in this process, so both have to let go."""
        async with open_notify(self._settings, self._context) as sink:
            yield sink
        await self._receiver.wait_idle()

    async def held(self) -> Sequence[str]:
        """Ids of the events that were told."""
        messages = [json.loads(post.body)["message"] for post in self._receiver.accepted]
        return [SENTENCES[line] for message in messages for line in message.splitlines()]

    async def break_peer(self) -> None:
        """No one listens, or all is answered with an error."""
        if self._broken == "killed":
            await self._receiver.stop()
        else:
            status = 503 if self._broken == "failing" else 401
            self._receiver.reply = lambda _: Reply(status)

    async def mend_peer(self) -> None:
        """Listen on the same port, and answer 200."""
        self._receiver.reply = lambda _: Reply()
        if self._broken == "killed":
            await self._receiver.start()


class TestNotify(SinkSuite):
    """`type: notify`."""

    @pytest.fixture(params=["killed", "failing", "turning away"])
    async def harness(self, tmp_path: Path, request: pytest.FixtureRequest):
        """A receiver of its own."""
        async with open_receiver() as receiver:
            yield NotifyHarness(receiver, tmp_path, request.param)
