"""One connection: subscribe, be confirmed, listen, keep alive."""

from collections.abc import Callable, Sequence

import trio

from adapters.fmex.endpoints import CONFIRM_SECONDS, PING_SECONDS, SILENCE_SECONDS
from adapters.fmex.frames import Control, Misfit
from adapters.fmex.normalise import read_frame
from adapters.fmex.refusals import error_of_code
from adapters.fmex.requests import ping_command, subscribe_commands
from adapters.fmex.venue_clock import VenueClock
from gateway.contracts.adapter import Outlet
from gateway.contracts.told import Told, ToldUnrecognized
from gateway.errors import StreamError, SubscriptionRefused, VenueUnavailable
from gateway.wire.keepalive import Liveness
from gateway.wire.onefailure import open_single_failure_nursery
from gateway.wire.websocket import Received, WebSocket


class Stream:
    """Carries what one socket says to the outlet, until it ends."""

    def __init__(
        self,
        socket: WebSocket,
        topics: Sequence[str],
        outlet: Outlet,
        clock: VenueClock,
        *,
        redact: Callable[[str], str],
    ) -> None:
        self._socket = socket
        self._topics = topics
        self._unconfirmed = {topic.lower() for topic in topics}
        self._all_confirmed = trio.Event()
        self._outlet = outlet
        self._clock = clock
        self._redact = redact
        self._liveness = Liveness(beat_seconds=PING_SECONDS, silence_seconds=SILENCE_SECONDS)
        self._handing_over = False

    @property
    def confirmed(self) -> bool:
        """Whether every topic was confirmed."""
        return not self._unconfirmed

    async def run(self, task_status: trio.TaskStatus[None]) -> None:
        """Subscribe and listen. Ends only by raising a `StreamError`."""
        async with open_single_failure_nursery() as nursery:
            nursery.start_soon(self._listen)
            nursery.start_soon(self._subscribe, task_status)
            # Here, where else a task would only wait for the others to end.
            await self._liveness.run(self._beat)

    async def _subscribe(self, task_status: trio.TaskStatus[None]) -> None:
        for command in subscribe_commands(self._topics):
            await self._socket.send(command)
        with trio.move_on_after(CONFIRM_SECONDS):
            await self._all_confirmed.wait()
            # Not before: a sibling exchange accepts a bad login and stays mute. Only
            # the confirmation of every topic shows that we shall be told anything.
            task_status.started()
            return
        missing = ", ".join(sorted(self._unconfirmed))
        raise SubscriptionRefused(f"FMEX did not confirm within {CONFIRM_SECONDS:g} s: {missing}")

    async def _beat(self) -> None:
        if self._handing_over:
            # The journal makes us wait; the answers stand unread in the socket.
            self._liveness.seen()
        await self._socket.send(ping_command(self._clock.our_ms()))

    async def _listen(self) -> None:
        while True:
            received = await self._socket.receive()
            self._liveness.seen()
            self._outlet.frames_read(len(received.frames), received.received_ns)
            await self._take(received)

    async def _take(self, received: Received) -> None:
        """Hand over what these frames told, then end if one of them refused us."""
        told: list[Told] = []
        refusal: StreamError | None = None
        for frame in received.frames:
            heard = read_frame(frame)
            if not isinstance(heard, Control):
                told += heard
            elif heard.type is not None:
                self._heed(heard, received.received_ns)
            elif (error := self._complaint(heard)) is None:
                told.append(ToldUnrecognized(reason=Misfit.COMPLAINT, frame=str(frame)))
            else:
                refusal = refusal or error
        await self._hand_over(told, received.received_ns)
        if refusal is not None:
            raise refusal

    async def _hand_over(self, told: Sequence[Told], received_ns: int) -> None:
        if not told:
            return
        self._handing_over = True
        await self._outlet.hear(told, received_ns)
        self._handing_over = False
        self._liveness.seen()

    def _heed(self, control: Control, received_ns: int) -> None:
        match str(control.type).lower():
            case "ping":
                self._outlet.alive()
                self._clock.learn_from_answer(control.ts, control.gap, received_ns)
            case "hello":
                self._clock.learn_from_greeting(control.ts, received_ns)
            case _:
                # The answer lists this command's topics or all of them: nobody says.
                self._unconfirmed -= {topic.lower() for topic in control.topics}
                if self.confirmed:
                    self._all_confirmed.set()

    def _complaint(self, control: Control) -> StreamError | None:
        """The error that ends the stream; None for one that a live stream survives."""
        error = error_of_code(control.status or 0, self._redact(str(control.msg or "")))
        passing = type(error) is VenueUnavailable and self.confirmed
        return None if passing else error
