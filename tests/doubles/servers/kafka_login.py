"""The login that a Kafka broker asks for (SASL), in front of a mock broker that asks for none.

Speaks the frames of https://kafka.apache.org/protocol (ApiVersions, SaslHandshake,
SaslAuthenticate) and, of what they carry, PLAIN (RFC 4616) and SCRAM (RFC 5802). Whoever has
logged in is passed on to the broker. Nothing here is of the client library.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import trio

from tests.doubles.servers.process import HOST

API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
UNSUPPORTED_MECHANISM, LOGIN_FAILED = 33, 58
"""Error codes of the protocol."""
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
ROUNDS = 4096
"""The fewest that librdkafka takes."""
NO_TEXT = b"\xff\xff"


class Frames:
    """Requests of one client that has yet to log in, and answers to them."""

    def __init__(self, client: trio.SocketStream, broker: trio.SocketStream) -> None:
        self._client, self._broker = client, broker
        self._correlation = b""

    async def hear(self, wanted: int) -> bytes:
        """The body of the next request of this sort; those about versions the broker answers."""
        while True:
            frame = await _read(self._client)
            if (api := int.from_bytes(frame[:2])) != API_VERSIONS:
                break
            await _write(self._broker, frame)
            await _write(self._client, _with_login(await _read(self._broker)))
        assert wanted == api
        self._correlation = frame[4:8]
        return frame[10 + int.from_bytes(frame[8:10]) :]  # behind the client's name

    async def answer(self, body: bytes) -> None:
        """The answer to what was heard last."""
        await _write(self._client, self._correlation + body)

    async def hear_step(self) -> str:
        """One step of the login, as the client says it."""
        return (await self.hear(SASL_AUTHENTICATE))[4:].decode()

    async def answer_step(self, text: str) -> None:
        """The answer to that step."""
        await self.answer(bytes(2) + NO_TEXT + len(text).to_bytes(4) + text.encode())

    async def refuse(self) -> None:
        """The other answer."""
        text = b"Authentication failed"
        await self.answer(LOGIN_FAILED.to_bytes(2) + len(text).to_bytes(2) + text + bytes(4))


class Login:
    """Listens, and lets in who knows the password."""

    def __init__(self, user: str, password: str) -> None:
        self.user, self.password = user, password
        self.broker_port = 0
        self.port = 0
        self.used: list[str] = []
        """The mechanisms by which somebody was let in."""
        self._let_in: list[trio.CancelScope] = []

    def change_password(self, password: str) -> None:
        """Another password, and an end to all connections."""
        self.password = password
        for connection in self._let_in:
            connection.cancel()

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Serve until cancelled."""
        [listener] = await trio.open_tcp_listeners(0, host=HOST)
        self.port = listener.socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, client: trio.SocketStream) -> None:
        # The client or the broker may go at any time.
        with suppress(EOFError, OSError, trio.BrokenResourceError):
            async with client, await trio.open_tcp_stream(HOST, self.broker_port) as broker:
                if await self._knows_the_password(Frames(client, broker)):
                    await self._join(client, broker)

    async def _knows_the_password(self, frames: Frames) -> bool:
        mechanism = (await frames.hear(SASL_HANDSHAKE))[2:].decode()
        offered = b"".join(len(one).to_bytes(2) + one.encode() for one in MECHANISMS)
        error = 0 if mechanism in MECHANISMS else UNSUPPORTED_MECHANISM
        await frames.answer(error.to_bytes(2) + len(MECHANISMS).to_bytes(4) + offered)
        if mechanism == "PLAIN":
            known = await self._plain(frames)
        else:
            known = await self._scram(frames, mechanism.removeprefix("SCRAM-").replace("-", ""))
        if known:
            self.used.append(mechanism)
        else:
            await frames.refuse()
        return known

    async def _plain(self, frames: Frames) -> bool:
        if await frames.hear_step() != f"\0{self.user}\0{self.password}":
            return False
        await frames.answer_step("")
        return True

    async def _scram(self, frames: Frames, digest: str) -> bool:
        """RFC 5802, section 3; the names of the values are those of the RFC."""
        client_first = (await frames.hear_step()).removeprefix("n,,")
        user, nonce = (part[2:] for part in client_first.split(","))
        salt, nonce = secrets.token_bytes(16), nonce + secrets.token_hex(8)
        server_first = f"r={nonce},s={_base64(salt)},i={ROUNDS}"
        await frames.answer_step(server_first)
        final, _, proof = (await frames.hear_step()).rpartition(",p=")
        auth = f"{client_first},{server_first},{final}".encode()
        salted = hashlib.pbkdf2_hmac(digest, self.password.encode(), salt, ROUNDS)
        client_key = hmac.digest(salted, b"Client Key", digest)
        signature = hmac.digest(hashlib.new(digest, client_key).digest(), auth, digest)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if (user, _base64(expected)) != (self.user, proof) or f"r={nonce}" not in final:
            return False
        server_key = hmac.digest(salted, b"Server Key", digest)
        await frames.answer_step(f"v={_base64(hmac.digest(server_key, auth, digest))}")
        return True

    async def _join(self, client: trio.SocketStream, broker: trio.SocketStream) -> None:
        async with trio.open_nursery() as nursery:
            self._let_in.append(nursery.cancel_scope)
            nursery.start_soon(_carry, client, broker, nursery.cancel_scope)
            nursery.start_soon(_carry, broker, client, nursery.cancel_scope)


async def _carry(
    source: trio.SocketStream, target: trio.SocketStream, both: trio.CancelScope
) -> None:
    with suppress(trio.BrokenResourceError):
        async for data in source:
            await target.send_all(data)
    both.cancel()


def _with_login(answer: bytes) -> bytes:
    """What the broker says of its versions, and those of the login beside them."""
    head, error, count, rest = answer[:4], answer[4:6], answer[6:10], answer[10:]
    if any(error):
        return answer  # it knows only the first version of this, in which the client asks again
    # Each: the request, its first version and its last.
    handshake = b"".join(number.to_bytes(2) for number in (SASL_HANDSHAKE, 1, 1))
    steps = b"".join(number.to_bytes(2) for number in (SASL_AUTHENTICATE, 0, 0))
    more = (int.from_bytes(count) + 2).to_bytes(4)
    return head + error + more + handshake + steps + rest


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def _read(stream: trio.SocketStream) -> bytes:
    return await _read_exactly(stream, int.from_bytes(await _read_exactly(stream, 4)))


async def _read_exactly(stream: trio.SocketStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = await stream.receive_some(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


async def _write(stream: trio.SocketStream, frame: bytes) -> None:
    await stream.send_all(len(frame).to_bytes(4) + frame)


@asynccontextmanager
async def open_login(user: str, password: str) -> AsyncIterator[Login]:
    """A login that is served."""
    async with trio.open_nursery() as nursery:
        login = Login(user, password)
        await nursery.start(login.run)
        yield login
        nursery.cancel_scope.cancel()
