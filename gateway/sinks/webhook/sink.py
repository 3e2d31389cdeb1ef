"""Posts events in order, and finds out which of a refused batch is the culprit.

A receiver that refuses a batch does not say which event it means. So the batch is
halved: the first half goes out, then half of what is left of the suspects, until the
culprit stands alone. What is known of it survives the delivery, since a slow receiver
may not leave time for all of that in one.
"""

import math
from collections.abc import Sequence
from typing import Final

import trio

from gateway.contracts.sink import (
    ACCEPTED,
    UNTRIED,
    Item,
    Later,
    Refused,
    SinkContext,
    Untried,
    Verdict,
)
from gateway.errors import RateLimited, VenueUnavailable
from gateway.sinks.webhook.answers import Meaning, describe, excerpt, meaning_of, remedy
from gateway.sinks.webhook.message import Writer
from gateway.telemetry.happenings import Happening, Level
from gateway.wire.rest import Answer, RestClient

BEGIN_SHARE: Final = 0.5
"""Share of the time limit in which further requests of a delivery may begin."""
ANSWER_SHARE: Final = 0.9
"""Share of it in which they must be answered: what was accepted before must be told in time."""

TURNED_AWAY = Happening(
    "webhook_turned_away",
    Level.ERROR,
    "A receiver turns us away, whatever we send: token, address or certificate need a person.",
)


class WebhookSink:
    """Speaks to one receiver."""

    def __init__(
        self, resource: str, client: RestClient, writer: Writer, context: SinkContext
    ) -> None:
        self._name = context.name
        self._resource = resource
        self._client = client
        self._writer = writer
        self._clock = context.clock
        self._clean = context.redactor.redact
        self._timeout_seconds = context.options.timeout
        self._suspect_seq = 0
        """Up to here a batch was refused, by an event not yet found."""
        self._turned_away: int | None = None

    async def deliver(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Post as many as time allows, in order; nothing behind an event that has to wait."""
        began = trio.current_time()
        last_begin = began + BEGIN_SHARE * self._timeout_seconds
        verdicts: list[Verdict] = []
        while len(verdicts) < len(items) and (not verdicts or trio.current_time() < last_begin):
            chunk = items[len(verdicts) : self._chunk_end(items, len(verdicts))]
            # The worker itself cuts the first request: nothing that was accepted is lost then.
            deadline = began + ANSWER_SHARE * self._timeout_seconds if verdicts else math.inf
            verdict = await self._post_by(deadline, chunk)
            if isinstance(verdict, Later | Untried):
                return [*verdicts, *[verdict] * (len(items) - len(verdicts))]
            if isinstance(verdict, Refused) and len(chunk) > 1:
                self._suspect_seq = chunk[-1].record.seq
            else:
                verdicts += [verdict] * len(chunk)
        return [*verdicts, *[UNTRIED] * (len(items) - len(verdicts))]

    def _chunk_end(self, items: Sequence[Item], start: int) -> int:
        """How far the next request reaches: over all that is left, or half of the suspects."""
        if self._writer.mode == "single":
            return start + 1
        suspects = sum(item.record.seq <= self._suspect_seq for item in items[start:])
        return start + max(1, suspects // 2) if suspects else len(items)

    async def _post_by(self, deadline: float, items: Sequence[Item]) -> Verdict:
        with trio.move_on_at(deadline):
            return await self._post(items)
        return UNTRIED  # the next delivery begins with it, and has all its time for it

    async def _post(self, items: Sequence[Item]) -> Verdict:
        message = self._writer.write(items, self._clock.now_ns())
        try:
            answer = await self._client.request(
                "POST",
                self._resource,
                headers=message.headers,
                content=message.body,
                cut_answer=True,
            )
        except RateLimited as error:
            return Later(
                reason=self._clean(str(error)), retry_after_seconds=error.retry_after_seconds
            )
        except VenueUnavailable as error:
            return Later(reason=self._clean(str(error)))
        return self._verdict(answer)

    def _verdict(self, answer: Answer) -> Verdict:
        meaning = meaning_of(answer.status)
        if meaning is Meaning.TURNED_AWAY:
            self._alarm(answer.status)
        elif meaning is not Meaning.LATER:
            self._turned_away = None
        match meaning:
            case Meaning.ACCEPTED:
                return ACCEPTED
            case Meaning.REFUSED:
                return Refused(reason=str(answer.status), excerpt=self._clean(excerpt(answer)))
            case _:
                return Later(
                    reason=self._clean(describe(answer)),
                    retry_after_seconds=answer.retry_after_seconds,
                )

    def _alarm(self, status: int) -> None:
        # Once per cause: the worker asks again every few seconds, for days if it must.
        if self._turned_away != status:
            TURNED_AWAY.emit(sink=self._name, status=status, remedy=remedy(status))
        self._turned_away = status
