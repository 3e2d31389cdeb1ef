"""One attempt: a batch handed to a sink, within a deadline, whatever the sink does.

The boundary where foreign trouble becomes ours: behind it there are verdicts only,
one for each event.
"""

from collections.abc import Sequence

import msgspec
import trio

from gateway.contracts.sink import Item, Later, Sink, Untried, Verdict
from gateway.delivery.batch import first_later
from gateway.delivery.policy import Result, Trouble
from gateway.errors import SinkUnavailable


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt."""

    verdicts: Sequence[Verdict]
    result: Result
    trouble: Trouble | None = None
    """None when nothing has to wait."""
    crash: Exception | None = None


async def attempt(sink: Sink, items: Sequence[Item], timeout_seconds: float) -> Answer:
    """Deliver `items` once; never raises but by cancellation from outside."""
    try:
        with trio.move_on_after(timeout_seconds) as deadline:
            verdicts = await sink.deliver(items)
    except SinkUnavailable as error:
        later = Later(reason=str(error), retry_after_seconds=error.retry_after_seconds)
        return _nothing(items, later, Result.LATER)
    except Exception as error:  # noqa: BLE001 - a sink's defect must not end its worker
        return _nothing(items, Later(reason=describe(error)), Result.CRASHED, error)
    if deadline.cancelled_caught:
        later = Later(reason=f"no answer within {timeout_seconds:g} s")
        return _nothing(items, later, Result.TIMEOUT)
    if len(verdicts) != len(items):
        reason = f"the sink gave {len(verdicts)} verdicts for {len(items)} events"
        return _nothing(items, Later(reason=reason), Result.CRASHED)
    return _answered(verdicts)


def describe(error: BaseException) -> str:
    """An error in one line; of a group, the first that is none."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = str(error).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _answered(verdicts: Sequence[Verdict]) -> Answer:
    later = first_later(verdicts)
    if later is None:
        untried = any(isinstance(verdict, Untried) for verdict in verdicts)
        return Answer(verdicts=verdicts, result=Result.PARTLY if untried else Result.ACCEPTED)
    waiting = sum(isinstance(verdict, Later) for verdict in verdicts)
    result = Result.LATER if waiting == len(verdicts) else Result.PARTLY
    return Answer(verdicts=verdicts, result=result, trouble=Trouble.of(later, result))


def _nothing(
    items: Sequence[Item], later: Later, result: Result, crash: Exception | None = None
) -> Answer:
    return Answer(
        verdicts=[later] * len(items),
        result=result,
        trouble=Trouble.of(later, result),
        crash=crash,
    )
