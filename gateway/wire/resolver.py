"""Names to addresses, in threads that nobody else needs.

The system's resolver blocks a thread, for minutes when the name server is gone,
and cannot be interrupted. In Trio's own pool forty such look-ups would stop every
file and database call of the process; here they only hold up other look-ups. Whoever
asks for a name that is being looked up waits for that answer: a hundred accounts of a
venue whose name server is dead take one thread, and the others' names are still found.

`app` installs it once; then every connection of the process resolves through it,
those of HTTP and of sinks' libraries too.
"""

import socket
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Literal

import trio

_THREADS: Final = 16
_REMEMBER_SECONDS: Final = 5.0
"""Long enough that a hundred accounts cut at once ask for their host once, far
shorter than any TTL that an exchange would rely on."""

_PATIENCE_SECONDS: Final = 15.0
"""A look-up that takes longer is asked anew: the name server may be back, and the system's
resolver would go on waiting for the answer to its old question."""

Found = list[
    tuple[Literal[socket.AddressFamily.AF_INET], socket.SocketKind, int, str, tuple[str, int]]
    | tuple[
        Literal[socket.AddressFamily.AF_INET6],
        socket.SocketKind,
        int,
        str,
        tuple[str, int, int, int] | tuple[int, bytes],
    ]
]
_Question = tuple[bytes | None, bytes | str | int | None, int, int, int, int]


class _LookUp:
    """One question that a thread is asking, and those who wait for its answer."""

    def __init__(self) -> None:
        self.began = trio.current_time()
        self.done = trio.Event()
        self.found: Found = []
        self.error: Exception | None = None

    async def wait(self) -> Found:
        await self.done.wait()
        if isinstance(self.error, OSError):
            # Each waiter's own, or they would all write into one traceback.
            raise type(self.error)(*self.error.args)
        if self.error is not None:
            raise self.error
        return self.found


class ThreadedResolver(trio.abc.HostnameResolver):
    """Trio's resolver, with its own threads and a short memory."""

    def __init__(
        self,
        remember_seconds: float = _REMEMBER_SECONDS,
        look_up: Callable[..., Any] = socket.getaddrinfo,
    ) -> None:
        self._remember_seconds = remember_seconds
        self._look_up = look_up
        self._threads = trio.CapacityLimiter(_THREADS)
        self._answers: dict[_Question, tuple[float, Found]] = {}
        self._asked: dict[_Question, _LookUp] = {}
        """What threads are looking up right now."""

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: bytes | str | int | None,
        family: int = 0,
        type: int = 0,  # noqa: A002  (the name is given by the interface)
        proto: int = 0,
        flags: int = 0,
    ) -> Found:
        """Look a name up, or recall what was found a moment ago."""
        question = (host, port, family, type, proto, flags)
        self._forget_old()
        if question in self._answers:
            await trio.lowlevel.checkpoint()
            return self._answers[question][1]
        asked = self._asked.get(question)
        if asked is None or trio.current_time() - asked.began > _PATIENCE_SECONDS:
            asked = self._asked[question] = _LookUp()
            # It outlives whoever asked first: the thread would block on in any case.
            trio.lowlevel.spawn_system_task(self._ask, question, asked)
        return await asked.wait()

    async def getnameinfo(
        self, sockaddr: tuple[str, int] | tuple[str, int, int, int], flags: int
    ) -> tuple[str, str]:
        """Look an address up."""
        return await trio.to_thread.run_sync(
            partial(socket.getnameinfo, sockaddr, flags),
            abandon_on_cancel=True,
            limiter=self._threads,
        )

    async def _ask(self, question: _Question, asked: _LookUp) -> None:
        try:
            asked.found = await trio.to_thread.run_sync(
                partial(self._look_up, *question), abandon_on_cancel=True, limiter=self._threads
            )
            self._answers[question] = (trio.current_time() + self._remember_seconds, asked.found)
        except Exception as error:  # noqa: BLE001 (whoever waits raises it; here it ends the run)
            asked.error = error
        finally:
            if self._asked.get(question) is asked:
                del self._asked[question]
            asked.done.set()

    def _forget_old(self) -> None:
        now = trio.current_time()
        for question in [key for key, (until, _) in self._answers.items() if until <= now]:
            del self._answers[question]


def install_resolver() -> None:
    """Make every look-up of this Trio run use a `ThreadedResolver`."""
    trio.socket.set_custom_hostname_resolver(ThreadedResolver())
