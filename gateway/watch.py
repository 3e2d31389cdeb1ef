"""Whether this process keeps up, and every thread's stack in the log when it does not.

A loop that is blocked cannot say so itself. `faulthandler` keeps an alarm in a thread
of its own that needs neither the loop nor the interpreter's lock; the loop puts it
off once a second, and when it no longer does, the stacks tell what it hangs in.
What systemd does about a hang (`WatchdogSec=`) begins where this ends.
"""

import faulthandler
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from gateway import __version__
from gateway.telemetry.happenings import Happening, Level
from gateway.telemetry.metrics import Metrics
from gateway.wire.keepalive import every

PROBE_SECONDS: Final = 1.0
"""How often the loop's lag is measured."""

STALL_SECONDS: Final = 15.0
"""A loop that did not run for so long is stuck: half of the watchdog's time in our unit."""

_STDERR: Final = 2
"""The file itself, since faulthandler writes where no Python object can be asked."""

LOOP_STALLED = Happening(
    "loop_stalled", Level.ERROR, "The loop was stuck; the log has the stacks of that time."
)
UNHEALTHY = Happening(
    "gateway_unhealthy",
    Level.ERROR,
    "The data path does not answer: the watchdog is no longer fed, and the stacks follow.",
)


@asynccontextmanager
async def open_watch(
    metrics: Metrics, *, stall_seconds: float = STALL_SECONDS
) -> AsyncIterator[None]:
    """Measure the loop's lag, write the stacks when it is stuck, and show the build's name."""
    metrics.cell("gateway_build_info", __version__, platform.python_version()).set(1)
    tasks = metrics.cell("gateway_tasks")
    metrics.before_scrape(lambda: tasks.set(trio.lowlevel.current_statistics().tasks_living))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_loop, metrics, max(stall_seconds, 2 * PROBE_SECONDS))
        yield
        nursery.cancel_scope.cancel()


def report_unhealthy(reason: str) -> None:
    """Say why the watchdog starves, with the stack of every thread."""
    UNHEALTHY.emit(reason=reason)
    faulthandler.dump_traceback(_STDERR)


async def _watch_loop(metrics: Metrics, stall_seconds: float) -> None:
    lag = metrics.cell("gateway_loop_lag_seconds")
    due = trio.current_time()
    try:
        faulthandler.dump_traceback_later(stall_seconds, file=_STDERR)
        async for _ in every(PROBE_SECONDS):
            faulthandler.dump_traceback_later(stall_seconds, file=_STDERR)
            late = trio.current_time() - due - PROBE_SECONDS
            due = trio.current_time()
            lag.set(max(0.0, late))
            if late > stall_seconds:
                LOOP_STALLED.emit(seconds=round(late, 1))
    finally:
        faulthandler.cancel_dump_traceback_later()
