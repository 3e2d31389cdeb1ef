"""The state of things: status, one account, gaps of the last day."""

from http import HTTPStatus

from gateway.admin.gap_log import GapLog
from gateway.admin.house import House
from gateway.admin.messages import Problem, Reply, json_reply
from gateway.admin.model import AccountView, GapList, Status
from gateway.admin.routes import Call, Route
from gateway.clock import Clock


class StateAnswers:
    """`/api/v1/status`, `/api/v1/accounts/{name}` and `/api/v1/gaps`."""

    def __init__(self, house: House, clock: Clock) -> None:
        self._house = house
        self._gaps = GapLog(house.journal, clock)

    def routes(self) -> list[Route]:
        """What this answers."""
        return [
            Route(
                method="GET",
                path="/api/v1/status",
                summary="Everything at a glance: the model of `gateway status --json`",
                answer=self._status,
                gives=Status,
            ),
            Route(
                method="GET",
                path="/api/v1/accounts/{name}",
                summary="Balances, positions, open orders and stream health of one account",
                answer=self._account,
                gives=AccountView,
                problems=(HTTPStatus.NOT_FOUND,),
            ),
            Route(
                method="GET",
                path="/api/v1/gaps",
                summary="Gaps of the last 24 hours, of all accounts",
                answer=self._recent_gaps,
                gives=GapList,
            ),
        ]

    async def _status(self, _call: Call) -> Reply:
        return json_reply(self._house.status())

    async def _account(self, call: Call) -> Reply:
        name = call.names["name"]
        view = await self._house.account(name)
        if view is None:
            raise Problem(
                HTTPStatus.NOT_FOUND,
                f"there is no account {name[:40]!r}",
                todo="`gateway status` lists the configured ones.",
            )
        return json_reply(view)

    async def _recent_gaps(self, _call: Call) -> Reply:
        return json_reply(await self._gaps.recent())
