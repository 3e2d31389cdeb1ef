"""An asyncio loop in a thread of its own, for a client library that knows no other.

Trio waits for what runs there as it waits for anything else: cancelled here is
cancelled there.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

import trio

T = TypeVar("T")

STOP_SECONDS: Final = 2.0
"""How long the thread may take to end; it holds nothing that outlives the process."""


class LoopThread:
    """Runs coroutines of asyncio's for Trio."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it there to its end, and give its result or raise its error."""
        token, done = trio.lowlevel.current_trio_token(), trio.Event()
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)

        def tell(_: Future[T]) -> None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(done.set)

        future.add_done_callback(tell)
        try:
            await done.wait()
        finally:
            future.cancel()  # no effect on what is done
        return future.result()

    async def aclose(self) -> None:
        """Stop the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        with trio.move_on_after(STOP_SECONDS, shield=True):
            await trio.to_thread.run_sync(self._thread.join, abandon_on_cancel=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
