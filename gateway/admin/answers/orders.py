"""Orders of an operator: reload, reconnect, recover, pause, resume, forget, replay, drain, pin.

Each leaves one line in the log that says who gave it.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from gateway.admin.house import House
from gateway.admin.messages import Problem, Reply, json_reply
from gateway.admin.model import Done, PinOrder, ReloadResult, ReplayOrder
from gateway.admin.routes import Call, Route
from gateway.errors import GatewayError
from gateway.telemetry.happenings import Happening, Level

OPERATOR_ORDER: Final = Happening(
    "operator_order", Level.INFO, "Somebody gave an order at run time."
)

Order = Callable[[str], Awaitable[None]]

_NOT_POSSIBLE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


def audit(call: Call, order: str, target: str | None = None, *, result: str = "done") -> None:
    """Leave the line in the log."""
    OPERATOR_ORDER.emit(order=order, target=target, by=call.request.peer.address, result=result)


class OrderAnswers:
    """The POST routes about the gateway, its accounts and its sinks."""

    def __init__(self, house: House) -> None:
        self._house = house

    def routes(self) -> list[Route]:
        """What this answers."""
        house = self._house
        simple = (
            ("accounts", "reconnect", house.reconnect, "Replace its connections", "reconnecting"),
            ("accounts", "recover", house.recover, "Read by REST what was missed", "recovering"),
            ("sinks", "pause", house.pause, "Stop delivering; its place stays", "paused"),
            ("sinks", "resume", house.resume, "Deliver again", "delivering again"),
            ("sinks", "forget", house.forget, "Drop its place and dead letters", "forgotten"),
            ("gateways", "drain", house.drain, "Have others own its accounts", "drained"),
            ("gateways", "undrain", house.undrain, "Give it its share again", "takes accounts"),
        )
        return [
            Route(
                method="POST",
                path="/api/v1/reload",
                summary="Read the configuration anew; answers when it is in force or refused",
                answer=self._reload,
                gives=ReloadResult,
                problems=(HTTPStatus.UNPROCESSABLE_ENTITY,),
            ),
            *(self._simple(*row) for row in simple),
            Route(
                method="POST",
                path="/api/v1/sinks/{name}/replay",
                summary="Send a range of the journal again, with the same ids",
                answer=self._replay,
                gives=Done,
                takes=ReplayOrder,
                problems=(HTTPStatus.BAD_REQUEST, *_NOT_POSSIBLE),
            ),
            Route(
                method="POST",
                path="/api/v1/accounts/{name}/pin",
                summary="Have one gateway of the cluster own the account, or any again",
                answer=self._pin,
                gives=Done,
                takes=PinOrder,
                problems=_NOT_POSSIBLE,
            ),
        ]

    def _simple(self, group: str, verb: str, order: Order, summary: str, done: str) -> Route:
        async def answer(call: Call) -> Reply:
            name = call.names["name"]
            try:
                await order(name)
            except GatewayError as error:
                audit(call, f"{group} {verb}", name, result=str(error))
                raise
            audit(call, f"{group} {verb}", name)
            return json_reply(Done(message=f"{group.removesuffix('s')} {name}: {done}"))

        return Route(
            method="POST",
            path=f"/api/v1/{group}/{{name}}/{verb}",
            summary=summary,
            answer=answer,
            gives=Done,
            problems=_NOT_POSSIBLE,
        )

    async def _reload(self, call: Call) -> Reply:
        result = await self._house.reload()
        audit(call, "reload", result="done" if result.ok else result.message)
        if not result.ok:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                result.message,
                todo="The old configuration stays in force: mend the file and reload again.",
            )
        return json_reply(result)

    async def _pin(self, call: Call) -> Reply:
        name, gateway = call.names["name"], call.body(PinOrder).gateway
        await self._house.pin(name, gateway)
        audit(call, "pin", name, result=gateway or "any")
        where = "goes where there is room" if gateway is None else f"belongs on {gateway}"
        return json_reply(Done(message=f"account {name}: {where}"))

    async def _replay(self, call: Call) -> Reply:
        name, order = call.names["name"], call.body(ReplayOrder)
        if isinstance(order.start, int) and isinstance(order.end, int) and order.start > order.end:
            raise Problem(HTTPStatus.BAD_REQUEST, "body: `from` is after `to`")
        count = await self._house.replay(name, order)
        if not order.dry_run:
            audit(call, "replay", name, result=f"{count} events")
        word = "would be sent" if order.dry_run else "sent"
        return json_reply(Done(message=f"sink {name}: {count} events {word} again", count=count))
