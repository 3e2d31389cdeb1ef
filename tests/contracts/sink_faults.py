"""What a sink that speaks to a server does under faults: one suite, run against real servers.

The sink reaches its server by a link of ours, over TLS. A sink's own file gives the suite a
`Peer` by the fixture `peer` and subclasses `ServerFaults`, and `DiskFaults` where the server
keeps what it takes on a disk. See README.md in this folder.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import trio

from gateway.clock import WALL_CLOCK
from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Item, Sink, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.delivery.attempt import Answer, attempt
from gateway.delivery.policy import Result
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import CANARY, fills, first_arrivals, ids, item, unsettled
from tests.doubles.events import fill_event
from tests.doubles.link import Link
from tests.doubles.servers.certificates import Certificates
from tests.doubles.servers.process import ServerProcess

TIMEOUT_SECONDS = 1.5
"""Of one delivery, as the worker cuts it."""
DEADLINE_SECONDS = 45.0
"""Generous: it only turns a hang into a failure."""
SLOW_SECONDS = 0.05
"""How long each piece is on its way over a slow link."""
NOT_NOW = frozenset({Result.LATER, Result.TIMEOUT})
"""How an attempt ends that settled nothing; which of the two depends on the machine."""
WRONG = Secret.of(f"{CANARY}-of-yesterday")
"""A password that the server does not know (any more)."""


class Peer(Protocol):
    """A server that a test mistreats, and the sink in front of it."""

    link: Link
    certificates: Certificates

    def open(self, **changes: Any) -> AbstractAsyncContextManager[Sink]:
        """The sink, by the link; `changes` are options other than those that fit."""

    async def probe(self, **changes: Any) -> Sequence[ProbeFinding]:
        """What `gateway check --connect` finds, by the link."""

    async def held(self) -> Sequence[str]:
        """Ids of what the server holds, in order of arrival, repeats included."""

    async def kill(self) -> None:
        """End the server at once."""

    async def start(self) -> None:
        """Start it again, at the same address."""

    def pause(self) -> None:
        """Stop it where it is: its sockets stay open."""

    def resume(self) -> None:
        """Let it go on."""

    async def change_password(self) -> None:
        """The sink's password fits no more, and connections that it let in are ended."""

    async def change_password_back(self) -> None:
        """It fits again."""


class ProcessPeer:
    """What all peers share whose server is a process of its own."""

    def __init__(self, server: ServerProcess, link: Link, certificates: Certificates) -> None:
        self.process = server
        self.link, self.certificates = link, certificates

    async def kill(self) -> None:
        self.process.kill()

    async def start(self) -> None:
        await self.process.start()

    def pause(self) -> None:
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()


def context(sink_type: str, **options: Any) -> SinkContext:
    """What the house hands over."""
    given = {"timeout": Seconds(TIMEOUT_SECONDS)} | options
    return SinkContext(
        name="desk",
        state_dir=Path("/nonexistent"),
        options=SinkOptions(type=sink_type, **given),
        clock=WALL_CLOCK,
        redactor=Redactor(),
    )


async def give(sink: Sink, items: Sequence[Item]) -> Answer:
    """One attempt, as the worker makes it."""
    with trio.fail_after(DEADLINE_SECONDS):
        return await attempt(sink, items, TIMEOUT_SECONDS)


async def insist(sink: Sink, items: Sequence[Item]) -> None:
    """Attempts until everything is accepted."""
    rest = list(items)
    with trio.fail_after(DEADLINE_SECONDS):
        while rest:
            answer = await attempt(sink, rest, TIMEOUT_SECONDS)
            assert answer.result is not Result.CRASHED, answer.trouble
            rest = unsettled(rest, answer.verdicts)
            await trio.sleep(0.05 if rest else 0)


async def trouble_with(sink: Sink, items: Sequence[Item], words: str) -> str:
    """Attempts until what is said of one has these words in it; that."""
    with trio.fail_after(DEADLINE_SECONDS):
        while True:
            answer = await attempt(sink, items, TIMEOUT_SECONDS)
            assert answer.result is not Result.CRASHED, answer.trouble
            if answer.trouble is not None and words in answer.trouble.message:
                return answer.trouble.message
            await trio.sleep(0.05)


class ServerFaults:
    """Promises of a sink whose server has trouble. Subclass it beside a `peer` fixture."""

    forgets: ClassVar[bool] = False
    """Whether a server that was killed holds nothing of what it held before."""

    async def test_killed_and_restarted(self, peer: Peer):
        """A server that is gone is waited for, and gets the rest when it is back."""
        items = fills(10)
        async with peer.open() as sink:
            await insist(sink, items[:5])
            await peer.kill()
            answers = [await give(sink, items[5:]) for _ in range(2)]
            await peer.start()
            await insist(sink, items[5:])

        assert {answer.result for answer in answers} <= NOT_NOW, answers
        expected = ids(items[5:] if self.forgets else items)
        assert expected == first_arrivals(await peer.held())

    async def test_paused(self, peer: Peer):
        """A server that stops answering costs one time limit; later nothing is missing."""
        items = fills(10)
        async with peer.open() as sink:
            await insist(sink, items[:5])
            peer.pause()
            answer = await give(sink, items[5:])
            peer.resume()
            await insist(sink, items[5:])

        assert answer.result in NOT_NOW, answer
        assert ids(items) == first_arrivals(await peer.held())

    async def test_half_open(self, peer: Peer):
        """A connection that carries nothing any more is left for a new one."""
        items = fills(10)
        async with peer.open() as sink:
            await insist(sink, items[:5])
            peer.link.silence()
            answers = [await give(sink, items[5:]) for _ in range(2)]
            peer.link.restore()
            await insist(sink, items[5:])

        assert {answer.result for answer in answers} <= NOT_NOW, answers
        assert peer.link.swallowed > 0
        assert ids(items) == first_arrivals(await peer.held())

    async def test_slow(self, peer: Peer):
        """A slow way to the server delays, and no more."""
        items = fills(10)
        async with peer.open() as sink:
            await insist(sink, items[:5])
            peer.link.delay_seconds = SLOW_SECONDS
            answer = await give(sink, items[5:])

        assert answer.result is Result.ACCEPTED, answer
        assert ids(items) == first_arrivals(await peer.held())

    async def test_a_wrong_certificate(self, peer: Peer):
        """A server whose certificate another authority signed is told nothing."""
        async with peer.open(ca_file=peer.certificates.other_ca) as sink:
            await trouble_with(sink, fills(5), "certificate")
        async with peer.open() as sink:
            await insist(sink, fills(5, first=6))

        assert ids(fills(5, first=6)) == first_arrivals(await peer.held())

    async def test_probes(self, peer: Peer):
        """`check --connect` tells right from wrong in time, shows no secret and sends nothing."""
        good = await peer.probe()
        other = await peer.probe(ca_file=peer.certificates.other_ca)
        with trio.fail_after(DEADLINE_SECONDS):
            peer.link.silence()
            silent = await peer.probe()
            peer.link.restore()
            await peer.kill()
            gone = await peer.probe()
            await peer.start()

        assert all(finding.ok for finding in good), good
        assert "certificate verified" in good[0].detail
        for bad in (other, silent, gone):
            assert not bad[-1].ok, bad
            assert CANARY not in bad[-1].detail
            assert peer.link.address in bad[-1].detail
        assert "certificate" in other[-1].detail
        async with peer.open() as sink:
            await insist(sink, fills(1))
        assert ids(fills(1)) == list(await peer.held())


class LoginFaults:
    """Promises of a sink whose server refuses its password."""

    async def test_a_password_changed_while_running(self, peer: Peer):
        """A refused login says what to look at; when the password fits again it goes on."""
        items = fills(10)
        async with peer.open() as sink:
            await insist(sink, items[:5])
            await peer.change_password()
            # Other words come first, about the end of the old connection.
            said = await trouble_with(sink, items[5:], "look at")
            await peer.change_password_back()
            await insist(sink, items[5:])

        assert CANARY not in said
        assert ids(items) == first_arrivals(await peer.held())


class LoginProbes:
    """Promises of a sink whose probe logs in."""

    async def test_a_probe_with_a_wrong_password(self, peer: Peer):
        """It says what to look at, and not the password."""
        *_, finding = await peer.probe(password=WRONG)

        assert not finding.ok
        assert "look at" in finding.detail
        assert CANARY not in finding.detail


class DiskPeer(Peer, Protocol):
    """A server on a small disk of its own."""

    def fill_disk(self) -> None:
        """Leave no space."""

    async def free_disk(self) -> None:
        """Give the space back, and do what an operator has to do after it."""


class DiskFaults:
    """Promises of a sink whose server runs out of disk."""

    async def test_out_of_disk(self, small: DiskPeer):
        """Nothing is refused for good and nothing lost while the server's disk is full."""
        large = [item(seq, fill_event(seq, raw="x" * 4096)) for seq in range(6, 206)]
        async with small.open() as sink:
            await insist(sink, fills(5))
            small.fill_disk()
            answer = await give(sink, large)
            await small.free_disk()
            await insist(sink, large)

        assert answer.result in NOT_NOW, answer
        assert ids([*fills(5), *large]) == first_arrivals(await small.held())
