"""A delivery on a journal in memory, in virtual time."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import structlog
import trio

from gateway.delivery import Delivery, SinkStatus, open_delivery
from gateway.events.model import Event
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import Redactor
from tests.doubles.events import fill_event
from tests.doubles.journal import MemoryJournal

START_NS = 1_767_323_045_700_123_000
"""2026-01-02T03:04:05.700123Z, when the events of `tests.doubles.events` were received."""


class TrioClock:
    """Wall time that keeps step with Trio's clock, virtual or not."""

    def __init__(self) -> None:
        self._zero = trio.current_time()

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC."""
        return START_NS + int((trio.current_time() - self._zero) * 1e9)


class House:
    """What a test of the deliveries needs around them."""

    def __init__(self, tmp_path: Path) -> None:
        self.journal = MemoryJournal()
        self.metrics = Metrics()
        self.redactor = Redactor()
        self.clock = TrioClock()
        self.state_dir = tmp_path
        self._appended = 0

    def open(self) -> AbstractAsyncContextManager[Delivery]:
        """A delivery, as at a start of the gateway."""
        return open_delivery(
            self.journal,
            clock=self.clock,
            metrics=self.metrics,
            state_dir=self.state_dir,
            redactor=self.redactor,
        )

    async def append(self, count: int = 1, *, account: str = "lbank-main") -> None:
        """Journal so many new fills."""
        first = self._appended
        self._appended += count
        await self.append_events(
            *(fill_event(n, account=account) for n in range(first, first + count))
        )

    async def append_events(self, *events: Event) -> None:
        """Journal events."""
        await (await self.journal.append(events)).wait()


@pytest.fixture
async def house(tmp_path: Path) -> House:
    """A house with an empty journal."""
    return House(tmp_path)


@pytest.fixture
async def delivery(house: House) -> AsyncIterator[Delivery]:
    """A running delivery; in virtual time where the test asks for `autojump_clock`."""
    async with house.open() as opened:
        yield opened


async def until(condition: Callable[[], bool], seconds: float = 1e6) -> None:
    """Wait, in virtual time, until `condition` holds."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - costs nothing where time is virtual
            await trio.sleep(0.01)


def adds_up(status: SinkStatus) -> bool:
    """The promise about every sink at any moment."""
    settled = status.delivered + status.filtered + status.dropped + status.dead_letters
    return status.recorded == settled + status.pending and status.pending >= 0


@pytest.fixture(scope="session", autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of faults make thousands of log lines; happenings are counted all the same."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)
