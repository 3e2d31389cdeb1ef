"""The stream key (subscribeKey): created once, refreshed in time, replaced when it must be.

A key lives an hour from its creation or last refresh, and what a subscription does
when its key lapses is not documented, so that must never be found out:

* The first refresh is due at `key.refresh` of age, on a timer of its own, whether or
  not anybody listens. One that fails or hangs is tried again with growing pauses.
* A *refused* refresh says that the key is dead, perhaps for some time already:
  `KeyExpired`, so that the gap is declared and a new key is made at once.
* A key that nobody could refresh gets a successor five minutes before its end: a new
  connection with a new key, live before the old one closes.
* A connection that comes back refreshes the key before it subscribes: a dead key would
  otherwise be met with silence.
* Age is counted by two clocks, of which one goes on while the machine sleeps.

Two connections of one account share a key: whether a second key voids the first is
not documented. Only one of them refreshes it, and only one creates it.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

import trio

from adapters.lbank import endpoints
from adapters.lbank.calls import Calls
from adapters.lbank.endpoints import Paths
from adapters.lbank.refusals import Refused
from adapters.lbank.settings import StreamKey as KeySettings
from gateway.clock import Clock
from gateway.errors import KeyExpired, LoginRefused, RateLimited, StreamError, VenueUnavailable
from gateway.events.model import StreamReason
from gateway.telemetry.happenings import Happening, Level
from gateway.telemetry.redaction import Redactor
from gateway.wire.backoff import Backoff
from gateway.wire.keepalive import every
from gateway.wire.pauses import boot_seconds

REFRESH_FAILED: Final = Happening(
    "lbank_key_refresh_failed",
    Level.WARNING,
    "A stream key could not be refreshed: tried again, or replaced at once if it was refused.",
)


class Renewal(StrEnum):
    """What was done to a key, or came of the attempt."""

    REFRESHED = "refreshed"
    REPLACED = "replaced"
    REFUSED = "refused"
    FAILED = "failed"


_SECRET_KEYS: Final = 4
"""So many of the latest keys are kept out of logs and events."""

Moment = tuple[float, float]
"""A point in time by Trio's clock, which tests can move, and by the machine's,
which also counts the time that the machine slept."""


class Key:
    """One stream key and its age."""

    def __init__(self, value: str, asked_at: Moment) -> None:
        self.value: Final = value
        self.renewed_at = asked_at
        """When its creation or last refresh was asked for: the venue counts from later."""
        self.dead = False
        """True once the venue refused it: nobody should rely on it any more."""


class KeyListener(Protocol):
    """The part of an `Outlet` that hears of keys."""

    def retire(self, reason: StreamReason, detail: str) -> None:
        """This connection will not last: open a successor."""

    async def key_renewed(self, *, replaced: bool, expires_ns: int | None, detail: str) -> None:
        """A key was refreshed, or replaced by a new one."""


class StreamKeys:
    """The keys of one account: the current one, and how it is kept alive."""

    def __init__(
        self,
        calls: Calls,
        paths: Paths,
        settings: KeySettings,
        *,
        clock: Clock,
        redactor: Redactor,
        count: Callable[[Renewal], None],
        elapsed: Callable[[], float] = boot_seconds,
    ) -> None:
        self._calls = calls
        self._paths = paths
        self._settings = settings
        self._clock = clock
        self._redactor = redactor
        self._count = count
        self._elapsed = elapsed
        self._lock = trio.Lock()
        self._current: Key | None = None
        self._values: list[str] = []

    def expires_ns(self) -> int | None:
        """Epoch ns at which the current key lapses if nobody refreshes it."""
        if self._current is None:
            return None
        left = self._settings.life - self._age(self._current)
        return self._clock.now_ns() + int(left * 1e9)

    async def take(self) -> tuple[Key, Renewal | None]:
        """The key to subscribe with, and what was done to it for that.

        A key that served before is refreshed first: whoever comes back may come back
        because it died, and subscribing with a dead key may meet silence. Callers at
        the same time get the same key.
        """
        async with self._lock:
            current = self._current
            if current is not None:
                if self._age(current) < endpoints.KEY_FRESH_SECONDS:
                    return current, None
                result, detail = await self._extend(current)
                if result is Renewal.REFRESHED:
                    return current, result
                self._note_failure(current, result, detail)
                if result is Renewal.FAILED and self._age(current) < self._reliable_seconds:
                    return current, None
            replaced = bool(self._values)
            self._current = await self._create()
            return self._current, Renewal.REPLACED if replaced else None

    def drop(self, key: Key) -> None:
        """Never hand out `key` again: the venue said something against it."""
        key.dead = True
        if self._current is key:
            self._current = None

    async def keep(self, key: Key, listener: KeyListener) -> None:
        """Refresh `key` in time, for as long as its stream runs.

        Raises `KeyExpired` when it was refused, or lapsed before a successor was live.
        """
        pauses = Backoff(endpoints.KEY_RETRY_INITIAL_SECONDS, endpoints.KEY_RETRY_MAX_SECONDS)
        next_try = trio.current_time()
        async for _ in every(min(endpoints.KEY_WATCH_SECONDS, self._settings.life / 20)):
            self._check(key)
            if self._age(key) < self._settings.refresh:
                pauses.reset()
                continue
            if self._age(key) >= self._reliable_seconds:
                self._succeed(key, listener)
            if trio.current_time() >= next_try:
                await self._refresh(key, listener)
                next_try = trio.current_time() + pauses.next_delay()

    async def destroy(self) -> None:
        """Close the current key at the venue."""
        key, self._current = self._current, None
        if key is not None:
            await self._calls.ask(self._paths.destroy_key, subscribeKey=key.value)

    @property
    def _reliable_seconds(self) -> float:
        """The age up to which a new stream may begin with a key."""
        return self._settings.life * endpoints.KEY_SUCCESSOR_SHARE

    def _now(self) -> Moment:
        return trio.current_time(), self._elapsed()

    def _age(self, key: Key) -> float:
        return max(now - then for now, then in zip(self._now(), key.renewed_at, strict=True))

    def _check(self, key: Key) -> None:
        if key.dead:
            raise KeyExpired("the stream key was refused on another connection")
        if self._age(key) >= self._settings.life:
            self.drop(key)
            raise KeyExpired(f"the stream key was not refreshed for {self._settings.life:.0f} s")

    def _succeed(self, key: Key, listener: KeyListener) -> None:
        """Ask for a connection with a new key; the house makes sure that it is only one."""
        if self._current is key:
            self._current = None
        listener.retire(StreamReason.KEY_EXPIRED, "the stream key could not be refreshed")

    async def _create(self) -> Key:
        asked_at = self._now()
        answered = await self._calls.ask(self._paths.get_key)
        value = answered.reply.stream_key()
        if value is None:
            raise VenueUnavailable(f"{self._paths.get_key}: answered without a key")
        self._learn_secret(value)
        return Key(value, asked_at)

    def _learn_secret(self, value: str) -> None:
        """Keep the newest few keys out of every text; the venue may return an old one."""
        self._redactor.add(value)
        self._values.append(value)
        if len(self._values) > _SECRET_KEYS:
            oldest = self._values.pop(0)
            if oldest not in self._values:
                self._redactor.discard([oldest])

    async def _refresh(self, key: Key, listener: KeyListener) -> None:
        async with self._lock:
            if key.dead or self._age(key) < self._settings.refresh:
                return  # the other connection was first
            try:
                result, detail = await self._extend(key)
            except RateLimited as error:
                # The stream goes on with the key it has; the next try is not soon.
                result, detail = Renewal.FAILED, str(error)
        if result is Renewal.REFRESHED:
            # The house counts this one; it makes an event of it.
            await listener.key_renewed(replaced=False, expires_ns=self.expires_ns(), detail=detail)
            return
        self._note_failure(key, result, detail)
        if result is Renewal.REFUSED:
            raise KeyExpired(f"the stream key could not be refreshed: {detail}")

    def _note_failure(self, key: Key, result: Renewal, detail: str) -> None:
        self._count(result)
        REFRESH_FAILED.emit(result=result, error=detail, age_seconds=round(self._age(key)))
        if result is Renewal.REFUSED:
            self.drop(key)

    async def _extend(self, key: Key) -> tuple[Renewal, str]:
        """Ask once, and say in words what came of it.

        Raises `RateLimited`: who is about to connect must wait as told, or would be
        refused there too.
        """
        asked_at = self._now()
        try:
            with trio.fail_after(endpoints.KEY_REFRESH_TIMEOUT_SECONDS):
                answered = await self._calls.ask(self._paths.refresh_key, subscribeKey=key.value)
        except trio.TooSlowError:
            return Renewal.FAILED, "no answer in time"
        except (Refused, LoginRefused) as error:
            # Without a code it is our own credentials file that cannot be read.
            own_fault = isinstance(error, LoginRefused) and error.code is None
            return (Renewal.FAILED if own_fault else Renewal.REFUSED), str(error)
        except RateLimited:
            raise
        except StreamError as error:
            return Renewal.FAILED, str(error)
        if not answered.reply.succeeded:
            return Renewal.FAILED, "the answer did not say whether it was refreshed"
        key.renewed_at = asked_at
        return Renewal.REFRESHED, f"good for another {self._settings.life:.0f} s"
