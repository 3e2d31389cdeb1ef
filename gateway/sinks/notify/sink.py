"""Tells people: the first thing at once, what follows folded into digests.

An event is accepted once its message was taken, or once it stands in the digest's file.
So nothing waits in memory only, and the cursor never has to wait for a digest's time.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

import trio

from gateway.contracts.sink import ACCEPTED, Item, SinkContext, Verdict
from gateway.errors import SinkUnavailable
from gateway.sinks.notify.digest import Digest, DigestFile
from gateway.sinks.notify.service import Service
from gateway.sinks.notify.settings import NotifySettings, is_worth_telling
from gateway.sinks.one_thread import OneThread
from gateway.telemetry.happenings import Happening, Level
from gateway.wire.backoff import Backoff

CLOSE_SECONDS: Final = 3.0
"""How long a last message, or the end of a digest's file, may take when the gateway stops."""
MINUTE: Final = 60.0

DELAYED = Happening(
    "notify_delayed", Level.WARNING, "A digest could not be sent when its time came; tried again."
)


class NotifySink:
    """Speaks to one service."""

    def __init__(
        self, service: Service, file: DigestFile, settings: NotifySettings, context: SinkContext
    ) -> None:
        self._service = service
        self._file = file
        self._settings = settings
        self._name = context.name
        self._timeout_seconds = context.options.timeout
        retry = context.options.retry
        self._backoff = Backoff(retry.initial, max(retry.initial, retry.max))
        self._digest = file.load()
        self._last_told: Digest | None = None
        self._filled = trio.Event()
        self._sent_at: deque[float] = deque(maxlen=settings.max_per_minute)
        self._lock = trio.Lock()
        self._thread = OneThread()

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Tell what is worth telling, or keep it for the digest; the rest is passed over."""
        events = [item.record.event() for item in items]
        events = [event for event in events if is_worth_telling(event, self._settings)]
        if events:
            async with self._lock:
                digest = self._digest.plus(events, self._settings.lines)
                if trio.current_time() >= self._next_at():
                    await self._tell(digest)
                else:
                    await self._keep(digest)
        return [ACCEPTED] * len(items)

    async def run(self) -> None:
        """Send digests when their time comes, until cancelled."""
        while True:
            if not self._digest.total:
                self._filled = trio.Event()
                await self._filled.wait()
            await trio.sleep_until(self._next_at())
            try:
                await self._tell_what_waits()
                self._backoff.reset()
            except SinkUnavailable as error:
                if self._backoff.attempts == 0:
                    DELAYED.emit(sink=self._name, error=str(error))
                await trio.sleep(self._backoff.next_delay())

    async def aclose(self) -> None:
        """Try to send what waits; where that fails it waits in its file for the next start."""
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            try:
                await self._tell_what_waits()
            except SinkUnavailable as error:
                DELAYED.emit(sink=self._name, error=str(error))

    def _next_at(self) -> float:
        """When the next message may go out, by Trio's clock."""
        if not self._sent_at:
            return 0.0
        next_at = self._sent_at[-1] + self._settings.digest
        if len(self._sent_at) == self._settings.max_per_minute:
            next_at = max(next_at, self._sent_at[0] + MINUTE)
        return next_at

    async def _tell_what_waits(self) -> None:
        async with self._lock:
            if self._digest.total:
                await self._tell(self._digest)

    async def _tell(self, digest: Digest) -> None:
        with trio.move_on_after(self._timeout_seconds) as limit:
            await self._thread.run(self._send_once, digest)
        if limit.cancelled_caught:
            raise SinkUnavailable(f"no answer within {self._timeout_seconds:g} s")
        self._sent_at.append(trio.current_time())
        if self._digest.total:
            self._digest = Digest()
            # Shielded: what was told must not stay in the file, to be told again.
            await self._thread.finish(self._file.drop, CLOSE_SECONDS)

    def _send_once(self, digest: Digest) -> None:
        # A thread that was abandoned may have sent it after all.
        if self._last_told is not digest:
            self._service.send(digest.title, digest.text, urgent=digest.urgent)
            self._last_told = digest

    async def _keep(self, digest: Digest) -> None:
        try:
            await self._thread.run(self._file.keep, digest)
        except OSError as error:
            raise SinkUnavailable(f"cannot write {self._file.path}: {error.strerror}") from error
        self._digest = digest
        self._filled.set()
