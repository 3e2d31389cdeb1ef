"""A Paperbank on loopback: its stream, and the REST call that reads all balances."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

from tests.doubles.receiver import Post, Receiver, Reply

TOKEN = "open-sesame"
PUSHED = '{"asset": "btc", "free": "1.50", "locked": "0.25"}'
READ = b'[{"asset": "btc", "free": "1.50", "locked": "0.25"}, {"asset": "eur", "free": "7.10"}]'


class Bank:
    """Greets whoever knows the token, and tells one balance in the same breath."""

    def __init__(self, rest: Receiver) -> None:
        self.port = 0
        self.rest = rest
        rest.reply = _answer

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Listen until cancelled."""
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        await trio.serve_listeners(self._talk, [listener], task_status=task_status)

    async def _talk(self, stream: trio.SocketStream) -> None:
        protocol = WSConnection(ConnectionType.SERVER)
        with suppress(trio.BrokenResourceError):  # the client may leave as it likes
            async for data in stream:
                protocol.receive_data(data)
                for event in protocol.events():
                    await stream.send_all(_respond(protocol, event))


def _respond(protocol: WSConnection, event: object) -> bytes:
    match event:
        case Request():
            return protocol.send(AcceptConnection())
        case TextMessage(data=text) if TOKEN in text:
            # One segment: the client reads both frames at once.
            told = ('{"hello": true}', PUSHED)
            return b"".join(protocol.send(TextMessage(data=each)) for each in told)
        case TextMessage():
            return protocol.send(TextMessage(data='{"pong": 1}'))
        case CloseConnection():
            return protocol.send(event.response())
    return b""


def _answer(post: Post) -> Reply:
    known = post.headers.get("authorization") == f"Bearer {TOKEN}"
    return Reply(body=READ) if known else Reply(status=401)


@asynccontextmanager
async def open_bank() -> AsyncIterator[Bank]:
    """Both servers, up until the end of the block."""
    async with trio.open_nursery() as nursery:
        bank = Bank(Receiver(nursery))
        await bank.rest.start()
        await nursery.start(bank.serve)
        yield bank
        nursery.cancel_scope.cancel()
