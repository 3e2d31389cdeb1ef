"""The pretend FMEX's REST side: who asks, whether they may, and what they get."""

import re
from collections.abc import Callable
from typing import Any, Final

from adapters.fmex.simulator import contract
from adapters.fmex.simulator.desk import Desk
from adapters.fmex.simulator.login import Logins
from adapters.fmex.simulator.refusal import Refusal
from adapters.fmex.simulator.words import encode
from gateway.simulator.dialect import Reply, Request, Stage
from gateway.simulator.quota import Quota

QUOTA: Final = 100
QUOTA_SECONDS: Final = 10
"""Requests per user (documented)."""

MESSAGES: Final = {
    1002: "system busy",
    1016: "account balance insufficient",
    1797: "order not found",
    2020: "API key invalid",
    2111: "invalid API signature",
    2136: "API key expired",
    3001: "key lacks permission",
    3008: "submit cancel invalid order state",
    6004: "timestamp is out of range",
    6005: "API key check failed",
}
_LOGIN_CODES: Final = (2020, 2111, 2136, 3001, 6004, 6005)
_TOO_MANY: Final = 429
_ID: Final = r"(?P<id>[0-9]{1,18})"

Handler = Callable[[int, Request, int], Any]


class Rest:
    """Answers REST requests."""

    def __init__(self, stage: Stage, logins: Logins, desk: Desk) -> None:
        self._stage = stage
        self._logins = logins
        self._desk = desk
        self._quota = Quota(QUOTA, QUOTA_SECONDS, stage.elapsed)
        orders = "/v3/contracts/orders"
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = [
            ("GET", re.compile("/v3/contracts/accounts"), desk.accounts),
            ("GET", re.compile("/v3/broker/auth/contracts/positions"), desk.positions),
            ("GET", re.compile("/v3/contracts/positions"), desk.old_positions),
            ("GET", re.compile(f"{orders}/open"), desk.open_orders),
            ("GET", re.compile(f"{orders}/open/{_ID}"), desk.open_order),
            ("GET", re.compile(f"{orders}/closed"), desk.closed_orders),
            ("GET", re.compile(f"{orders}/{_ID}"), desk.order),
            ("GET", re.compile(f"{orders}/{_ID}/matches"), desk.matches),
            ("POST", re.compile(orders), desk.create),
            ("POST", re.compile(f"{orders}/{_ID}/cancel"), desk.cancel),
        ]

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        public = self._answer_public(request)
        if public is not None:
            return public
        try:
            for method, path, handler in self._routes:
                match = path.fullmatch(request.path)
                if match and method == request.method:
                    account = self._check(request)
                    order_id = int(match.groupdict().get("id") or 0)
                    return _succeed(handler(account, request, order_id), request.path)
        except Refusal as refusal:
            return self.refuse(refusal.code)
        return Reply(status=404, body=encode({"status": 404, "msg": "not found"}))

    def refuse(self, code: int) -> Reply:
        """An error: HTTP 401 for logins, 400 for business, each with a JSON body."""
        if code < 1000:
            return Reply(status=code, body=encode({"status": code, "msg": "error"}))
        status = 401 if code in _LOGIN_CODES else 400
        return Reply(
            status=status, body=encode({"status": code, "msg": MESSAGES.get(code, "error")})
        )

    def _answer_public(self, request: Request) -> Reply | None:
        match request.path:
            case "/v2/public/server-time":
                return _succeed(self._stage.now_ms(), request.path)
            case "/v2/public/contracts/symbols":
                return _succeed([contract.listing()], request.path)
            case "/v2/public/contracts/currencies":
                return _succeed([contract.CURRENCY], request.path)
        return None

    def _check(self, request: Request) -> int:
        account = self._logins.check_rest(request)
        if self._stage.scenario.rate_limits and not self._quota.allows(str(account)):
            raise Refusal(_TOO_MANY)
        return account


def _succeed(data: Any, path: str) -> Reply:
    """The broker family says "ok", all others 0."""
    status: int | str = "ok" if "/broker/" in path else 0
    return Reply(body=encode({"status": status, "data": data}))
