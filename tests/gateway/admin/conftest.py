"""A served house: on loopback, on control.sock, with or without a token."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from gateway.admin.connection import Limits
from gateway.admin.server import Admin, open_admin
from gateway.admin.settings import HttpSettings
from tests.doubles.house import FixedClock, MemoryHouse


class Served(msgspec.Struct, frozen=True):
    """A running server and what stands behind it."""

    admin: Admin
    house: MemoryHouse
    clock: FixedClock
    state_dir: Path

    @property
    def url(self) -> str:
        """Where the network door is."""
        return self.admin.addresses[1]

    @property
    def control(self) -> str:
        """Where control.sock is."""
        return self.admin.addresses[0]


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Open a server with these settings on a fresh house."""

    @asynccontextmanager
    async def open_served(limits: Limits | None = None, **settings: Any) -> AsyncIterator[Served]:
        house, clock = MemoryHouse(), FixedClock()
        http = HttpSettings(**{"listen": "127.0.0.1:0", **settings})
        async with open_admin(http, house, state_dir=tmp_path, clock=clock, limits=limits) as admin:
            yield Served(admin, house, clock, tmp_path)

    return open_served


@pytest.fixture
async def served(serve: Serve) -> AsyncIterator[Served]:
    """A server on loopback that asks for no token."""
    async with serve() as it:
        yield it


async def wait_until(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that rings no bell."""
    with trio.fail_after(seconds):
        while not true():  # noqa: ASYNC110 - counters of the server are no events
            await trio.sleep(0.01)
