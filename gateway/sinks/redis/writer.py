"""What one event becomes: the commands that Redis is sent for it."""

from collections.abc import Awaitable, Iterator
from typing import Any, Final

from coredis.patterns.pipeline import ClusterPipeline, Pipeline
from coredis.tokens import PureToken

from gateway.contracts.sink import Item, Record
from gateway.events.model import Balance, Order, Position
from gateway.sinks.patterns import Pattern
from gateway.sinks.redis.settings import RedisSettings

Pipe = Pipeline[bytes] | ClusterPipeline[bytes]
Result = Awaitable[Any]

_NS_PER_MS: Final = 1_000_000


class Writer:
    """Queues commands as the settings ask for."""

    def __init__(self, settings: RedisSettings) -> None:
        self._stream = Pattern(settings.stream)
        self._publish = None if settings.publish is None else Pattern(settings.publish)
        self._latest = None if settings.latest is None else Pattern(settings.latest)
        self._max_length = settings.max_length
        self._max_age_ms = None if settings.max_age is None else int(settings.max_age * 1000)

    def queue(self, pipe: Pipe, item: Item, now_ns: int) -> list[Result]:
        """Queue the commands of one event, and give what will be their results."""
        record = item.record
        fields = {
            b"id": record.id.encode(),
            b"seq": b"%d" % record.seq,
            b"kind": record.kind.value.encode(),
            b"account": record.account.encode(),
            b"event": item.body,
        }
        key = self._stream.name_for(record)
        results: list[Result] = [pipe.xadd(key, fields, **self._trimming(now_ns))]
        if self._latest is not None:
            results += _queue_state(pipe, self._latest.name_for(record), item)
        if self._publish is not None:
            results.append(pipe.publish(self._publish.name_for(record), item.body))
        return results

    def _trimming(self, now_ns: int) -> dict[str, Any]:
        if self._max_length is not None:
            strategy, threshold = PureToken.MAXLEN, self._max_length
        elif self._max_age_ms is not None:
            # Redis made each entry's id of the time at which it was added.
            strategy, threshold = PureToken.MINID, now_ns // _NS_PER_MS - self._max_age_ms
        else:
            return {}
        return {
            "trim_strategy": strategy,
            "threshold": max(0, threshold),
            # Whole nodes of the stream's tree only, which costs Redis next to nothing.
            "trim_operator": PureToken.APPROXIMATELY,
        }


def _queue_state(pipe: Pipe, key: str, item: Item) -> Iterator[Result]:
    subject, over = _subject(item.record)
    if over:
        yield pipe.hdel(key, [subject])
    elif subject:
        yield pipe.hset(key, {subject: item.body})


def _subject(record: Record) -> tuple[str, bool]:
    """What the event is the last state of, and whether that thing is gone."""
    match record.event().body:
        case Order(order_id=order_id, final=final):
            return order_id, final
        case Balance(asset=asset):
            return asset, False
        case Position():
            return record.venue_symbol or "", False
        case _:
            return "", False
