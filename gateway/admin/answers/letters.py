"""Dead letters: list, show, offer again, drop."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from gateway.admin.answers.orders import audit
from gateway.admin.house import House
from gateway.admin.messages import Problem, Reply, json_reply
from gateway.admin.model import Done, LetterChoice, LetterPage, LetterView
from gateway.admin.routes import LARGEST, Call, Parameter, Route
from gateway.events.times import from_nanoseconds
from gateway.journal.records import DeadLetter

PAGE_DEFAULT, PAGE_LIMIT = 100, 1000
_PATH: Final = "/api/v1/dead-letters"


class LetterAnswers:
    """`/api/v1/dead-letters` and below."""

    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> list[Route]:
        """What this answers."""
        limit = {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE_DEFAULT}
        after = {"type": "integer", "minimum": 0, "maximum": LARGEST, "default": 0}
        return [
            Route(
                method="GET",
                path=_PATH,
                summary="Events that sinks refused for good, by number",
                answer=self._list,
                gives=LetterPage,
                parameters=(
                    Parameter(name="sink", meaning="Only those of this sink"),
                    Parameter(name="after", meaning="Only greater numbers", schema=after),
                    Parameter(name="limit", meaning="At most so many", schema=limit),
                ),
                problems=(HTTPStatus.BAD_REQUEST,),
            ),
            Route(
                method="GET",
                path=f"{_PATH}/{{number}}",
                summary="One dead letter with its event",
                answer=self._show,
                gives=LetterView,
                problems=(HTTPStatus.NOT_FOUND,),
            ),
            self._order(
                "replay", self._house.replay_dead_letters, "Offer them to their sinks again"
            ),
            self._order("drop", self._house.drop_dead_letters, "Give them up for good"),
        ]

    def _order(
        self,
        verb: str,
        carry_out: Callable[[str | None, Sequence[int] | None], Awaitable[int]],
        summary: str,
    ) -> Route:
        async def answer(call: Call) -> Reply:
            choice = call.body(LetterChoice)
            count = await carry_out(choice.sink, choice.numbers)
            audit(call, f"dead letters {verb}", choice.sink, result=f"{count} events")
            done = {"replay": "accepted", "drop": "dropped"}[verb]
            return json_reply(Done(message=f"{count} dead letters {done}", count=count))

        return Route(
            method="POST",
            path=f"{_PATH}/{verb}",
            summary=summary,
            answer=answer,
            gives=Done,
            takes=LetterChoice,
            problems=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
        )

    async def _list(self, call: Call) -> Reply:
        limit = call.integer("limit", PAGE_DEFAULT, low=1, high=PAGE_LIMIT)
        letters = await self._house.dead_letters(
            call.request.query.get("sink"), call.integer("after", 0), limit
        )
        views = tuple(_view(letter) for letter in letters)
        more = views[-1].number if len(views) == limit else None
        return json_reply(LetterPage(dead_letters=views, next_after=more))

    async def _show(self, call: Call) -> Reply:
        text = call.names["number"]
        if text.isascii() and text.isdigit() and 0 < len(text) < 19:
            number = int(text)
            for letter in await self._house.dead_letters(None, number - 1, 1):
                if letter.number == number:
                    return json_reply(_view(letter, with_event=True))
        raise Problem(
            HTTPStatus.NOT_FOUND,
            f"there is no dead letter {text[:20]!r}",
            todo="`gateway dlq list` shows the numbers.",
        )


def _view(letter: DeadLetter, *, with_event: bool = False) -> LetterView:
    assert letter.number is not None  # given by the journal to every letter it holds
    record = letter.record
    return LetterView(
        number=letter.number,
        sink=letter.sink,
        seq=record.seq,
        event_id=record.id,
        kind=record.kind,
        account=record.account,
        symbol=record.symbol,
        reason=letter.reason,
        excerpt=letter.excerpt,
        attempts=letter.attempts,
        first_try=from_nanoseconds(letter.first_try_ns),
        last_try=from_nanoseconds(letter.last_try_ns),
        event=msgspec.Raw(record.native(include_raw=False)) if with_event else None,
    )
