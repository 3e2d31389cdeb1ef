"""What JetStream answers to each message, by a subject of its own.

The library has this too, but drops an answer that is an error, and the message's waiter
with it (nats-py 2.16, `JetStreamContext._handle_async_reply`).
"""

import asyncio
from typing import Final

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from gateway.contracts.sink import ACCEPTED, Later, Refused, Verdict

NO_RESPONDERS: Final = "503"
"""The server's status where nobody listens to a subject, so that no stream keeps it."""
TOO_LARGE: Final = 10054
"""JetStream's code for a message above the stream's `max_msg_size`."""


class _Error(msgspec.Struct):
    description: str = ""
    err_code: int = 0


class _Answer(msgspec.Struct):
    error: _Error | None = None


class Acknowledgements:
    """Waits for the answers on one connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._prefix = client.new_inbox()
        self._waiting: dict[str, asyncio.Future[Verdict]] = {}

    async def open(self) -> None:
        """Listen for answers."""
        await self._client.subscribe(f"{self._prefix}.*", cb=self._take)

    def expect(self, number: int) -> tuple[str, asyncio.Future[Verdict]]:
        """The subject for the answer to one message, and what that will mean."""
        subject = f"{self._prefix}.{number}"
        self._waiting[subject] = asyncio.get_running_loop().create_future()
        return subject, self._waiting[subject]

    async def _take(self, message: Msg) -> None:
        waiting = self._waiting.pop(message.subject, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(_meaning(message))


def _meaning(message: Msg) -> Verdict:
    if (message.headers or {}).get("Status") == NO_RESPONDERS:
        reason = "no JetStream stream keeps this subject (see `stream` and `create_stream`)"
        return Later(reason=reason)
    try:
        error = msgspec.json.decode(message.data, type=_Answer).error
    except msgspec.DecodeError:
        return Later(reason="an answer that is none of JetStream's")
    if error is None:
        return ACCEPTED
    text = f"JetStream: {error.description} ({error.err_code})"
    if error.err_code == TOO_LARGE:
        return Refused(reason="too_large", excerpt=text)
    return Later(reason=text)
