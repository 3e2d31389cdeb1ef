"""Whether this process keeps up, and every thread's stack in the log when it does not.

A loop that is blocked cannot say so itself. It beats once a second, and a thread looks
whether it did; when it no longer does, the stacks tell what it hangs in. What systemd
does about a hang (`WatchdogSec=`) begins where this ends, also for the hang that no
thread of ours can see: a library that keeps the interpreter's lock.

Not `faulthandler.dump_traceback_later`, which needs no lock: it reads the frames of
threads that run meanwhile. After a suspension its time is over while nothing hangs at
all, and what it read then has crashed the process.
"""

import faulthandler
import math
import platform
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
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

_FEWEST_LOOKS: Final = 3
"""Two in a row may miss a loop that runs: one just before its beat, and one that comes
first when the process goes on after a suspension in that moment."""

_STDERR: Final = 2
"""The file itself, since faulthandler writes where no Python object can be asked."""

LOOP_STUCK = Happening(
    "loop_stuck", Level.ERROR, "The loop does not run; the stacks of all threads follow."
)
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
    pulse = _Pulse()
    looks = max(_FEWEST_LOOKS, math.ceil(stall_seconds / PROBE_SECONDS))
    async with trio.open_nursery() as nursery:
        with _felt(pulse, looks):
            nursery.start_soon(_beat, pulse, metrics)
            yield
        nursery.cancel_scope.cancel()


def report_unhealthy(reason: str) -> None:
    """Say why the watchdog starves, with the stack of every thread."""
    UNHEALTHY.emit(reason=reason)
    faulthandler.dump_traceback(_STDERR)


class _Pulse:
    """Beaten by the loop, felt by the thread that looks after it."""

    def __init__(self) -> None:
        self.beats = 0
        self.was_stuck = False
        """Set by the thread, cleared by the loop when it runs again."""


async def _beat(pulse: _Pulse, metrics: Metrics) -> None:
    lag = metrics.cell("gateway_loop_lag_seconds")
    due = trio.current_time()
    async for _ in every(PROBE_SECONDS):
        pulse.beats += 1
        late = trio.current_time() - due - PROBE_SECONDS
        due = trio.current_time()
        lag.set(max(0.0, late))
        if pulse.was_stuck:
            pulse.was_stuck = False
            LOOP_STALLED.emit(seconds=round(late, 1))


@contextmanager
def _felt(pulse: _Pulse, looks: int) -> Iterator[None]:
    over = threading.Event()
    thread = threading.Thread(target=_feel, args=(pulse, looks, over), name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _feel(pulse: _Pulse, looks: int, over: threading.Event) -> None:
    """Write the stacks when the loop did not beat for so many looks.

    Counted in looks, not in time: while the whole process stands still, so does the count.
    """
    last, missed = pulse.beats, 0
    while not over.wait(PROBE_SECONDS):
        missed = missed + 1 if pulse.beats == last else 0
        last = pulse.beats
        if missed == looks:
            pulse.was_stuck = True
            LOOP_STUCK.emit(seconds=looks * PROBE_SECONDS)
            faulthandler.dump_traceback(_STDERR)
