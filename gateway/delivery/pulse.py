"""Whether a sink works: the state behind `status`, its log lines and `gateway_sink_up`."""

from typing import Final

import msgspec

from gateway.clock import Clock
from gateway.delivery import happenings
from gateway.delivery.meter import SinkMeter
from gateway.delivery.policy import Result, Trouble
from gateway.delivery.status import Health, SinkState
from gateway.telemetry.redaction import Redactor

LONGEST_ERROR: Final = 500
"""Characters of an error worth keeping; a peer may answer with a whole page."""


class Pulse:
    """Follows one sink through trouble and back."""

    def __init__(self, sink: str, clock: Clock, redactor: Redactor, meter: SinkMeter) -> None:
        self._sink = sink
        self._clock = clock
        self._redactor = redactor
        self._meter = meter
        self._spell: set[Result] = set()
        """The kinds of trouble since it last worked: each is told once."""
        self._health = Health(state=SinkState.RUNNING)

    def health(self, state: SinkState | None = None) -> Health:
        """How it is now; `state` where its worker knows better."""
        if state is not None:
            return msgspec.structs.replace(self._health, state=state, retry_ns=None)
        state = SinkState.RETRYING if self._spell else SinkState.RUNNING
        return msgspec.structs.replace(self._health, state=state)

    def clean(self, text: str) -> str:
        """Foreign text, cut and without secrets."""
        return self._redactor.redact(text)[:LONGEST_ERROR]

    def failed(self, trouble: Trouble, delay_seconds: float, crash: Exception | None) -> None:
        """Note an attempt that left something to be tried again after `delay_seconds`."""
        now_ns = self._clock.now_ns()
        message = self.clean(trouble.message)
        self._health = Health(
            state=SinkState.RETRYING,
            last_error=message,
            last_error_ns=now_ns,
            retry_ns=now_ns + int(delay_seconds * 1e9),
        )
        self._meter.set_up(False)
        if trouble.result not in self._spell:
            happening = happenings.CRASHED if crash is not None else happenings.FAILING
            happening.emit(
                sink=self._sink, result=trouble.result.value, error=message, exc_info=crash
            )
        self._spell.add(trouble.result)

    def trying(self) -> None:
        """Note that the wait is over."""
        self._health = msgspec.structs.replace(self._health, retry_ns=None)

    def worked(self) -> None:
        """Note an attempt after which nothing has to wait."""
        self._meter.set_up(True)
        if self._spell:
            happenings.RECOVERED.emit(sink=self._sink)
        self._spell.clear()
