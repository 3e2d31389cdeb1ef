"""Names are looked up in threads of their own, and remembered for a moment."""

import socket
import threading

import pytest
import trio
from trio.testing import MockClock

from gateway.wire.resolver import ThreadedResolver, install_resolver


async def test_a_name_is_found_and_remembered():
    """The second look-up within seconds gives what the first found."""
    resolver = ThreadedResolver()
    first = await resolver.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)
    assert {found[4][1] for found in first} == {80}
    assert await resolver.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM) is first


async def test_memory_is_short():
    """After a few seconds a name is asked for again."""
    resolver = ThreadedResolver(remember_seconds=0)
    first = await resolver.getaddrinfo("localhost", 80)
    assert await resolver.getaddrinfo("localhost", 80) is not first


async def test_a_dead_name_server_holds_up_nobody_elses_names():
    """A hundred who ask for a name that is never found take one thread of the few."""
    dead = threading.Event()
    asked = []

    def look_up(host: str, port: int, *_rest: int) -> list[tuple[str, int]]:
        asked.append(host)
        if host == "dead.example":
            dead.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(host, port)]

    resolver = ThreadedResolver(look_up=look_up)
    failures = []

    async def give_up_soon() -> None:
        with trio.move_on_after(0.01):
            await resolver.getaddrinfo("dead.example", 443)

    async def be_told() -> None:
        try:
            await resolver.getaddrinfo("dead.example", 443)
        except socket.gaierror as error:
            failures.append(error)

    async with trio.open_nursery() as nursery:
        async with trio.open_nursery() as impatient:
            for _ in range(100):
                impatient.start_soon(give_up_soon)
        nursery.start_soon(be_told)
        nursery.start_soon(be_told)
        with trio.fail_after(10):
            assert [("live.example", 443)] == await resolver.getaddrinfo("live.example", 443)
        dead.set()

    assert sorted(asked) == ["dead.example", "live.example"]
    assert ["Temporary failure in name resolution"] * 2 == [each.strerror for each in failures]


async def test_a_look_up_that_hangs_is_not_waited_for_for_ever(autojump_clock: MockClock):
    """After a while the name is asked for anew, and a name server that is back is heard."""
    asked, hanging, dead = [], threading.Event(), threading.Event()

    def look_up(host: str, port: int, *_rest: int) -> list[tuple[str, int]]:
        asked.append(host)
        if len(asked) == 1:
            hanging.set()
            dead.wait(20)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(host, port)]

    resolver = ThreadedResolver(look_up=look_up)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(resolver.getaddrinfo, "slow.example", 443)
        # Time must not move before the first is really under way.
        await trio.to_thread.run_sync(hanging.wait)
        await trio.sleep(16)

        assert [("slow.example", 443)] == await resolver.getaddrinfo("slow.example", 443)
        nursery.cancel_scope.cancel()
    dead.set()


async def test_any_failure_of_a_look_up_reaches_who_asked():
    """A thread that cannot even be started is the asker's trouble, not the end of the run."""

    def look_up(*_question: object) -> None:
        raise RuntimeError("can't start new thread")

    with pytest.raises(RuntimeError, match="new thread"):
        await ThreadedResolver(look_up=look_up).getaddrinfo("any.example", 443)


async def test_once_installed_every_dial_uses_it():
    """Trio's own connecting goes through it."""
    install_resolver()
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with await trio.open_tcp_stream("localhost", port):
        pass
    await listeners[0].aclose()


async def test_an_address_is_looked_up_backwards():
    """The reverse direction works too."""
    name, service = await ThreadedResolver().getnameinfo(
        ("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    )
    assert (name, service) == ("127.0.0.1", "80")
