"""The pretend LBank's REST side: who asks, whether they may, and in which envelope.

What is asked for stands in `queries` and `orders`. Every business answer is HTTP
200 with JSON, errors included, as live answers are; a missing route is an HTML 404.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from adapters.lbank.simulator.keys import StreamKeys
from adapters.lbank.simulator.orders import OrderDesk
from adapters.lbank.simulator.queries import Queries
from adapters.lbank.simulator.signing import Refusal, check_extras, check_v1, check_v2
from adapters.lbank.simulator.switches import Switches
from gateway.simulator.dialect import Reply, Request, SimulatedAccount, Stage
from gateway.simulator.quota import Quota
from gateway.simulator.steps import RefuseLogin

ORDER_QUOTA: Final = 500
OTHER_QUOTA: Final = 200
QUOTA_SECONDS: Final = 10
"""Creating and cancelling orders: 500 per 10 s and key; everything else: 200 (documented)."""

MESSAGES: Final = {
    10000: "Internal error",
    10001: "The required parameters can not be empty",
    10003: "Invalid parameter",
    10004: "Request too frequent",
    10005: "Secret key does not exist",
    10007: "Invalid signature",
    10008: "Invalid Trading Pair",
    10009: "Price and/or Amount are required for limit order",
    10013: "The amount is too small",
    10015: "Invalid order type",
    10016: "Insufficient account balance",
    10017: "Server exception",
    10018: "Page size is out of range",
    10022: "Invalid authorization",
    10025: "Order has been filled",
    10026: "Order has been cancelled",
    10028: "Wrong query time",
    10031: "echostr length must be valid and length must be from 30 to 40",
    10032: "Order not found",
    10036: "customID duplicated",
    10201: "api_key, sign can not be null",
    10202: "timestamp, signature_method and echostr can not be null",
    10203: "Wrong signature method",
    10600: "Intercepted by replay attacks filter, check timestamp",
    10601: "Interface closed unavailable",
}

_PATH: Final = re.compile(r"/(v1|v2)/([A-Za-z0-9_/]+)\.do")
_NOT_FOUND: Final = b"<html><body><h1>404 Not Found</h1></body></html>"
_BOOLEAN_RESULTS: Final = ("get_key", "order", "ticker/price")
"""Paths whose `result` was seen as a boolean."""
_V1_NAMES: Final = {
    "orders_info": "orders",
    "order_transaction_detail": "transaction",
    "transaction_history": "transaction",
    "user_info": "info",
}
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")

Handler = Callable[[int, Mapping[str, str]], Any]
KeyHandler = Callable[[int, Mapping[str, str], str], Any]
"""Takes the version too: v1 and v2 answer in shapes of their own."""


class Rest:
    """Answers REST requests."""

    def __init__(
        self,
        stage: Stage,
        accounts: list[SimulatedAccount],
        keys: StreamKeys,
        queries: Queries,
        desk: OrderDesk,
        switches: Callable[[], Switches],
    ) -> None:
        self._stage = stage
        self._keys = keys
        self._switches = switches
        self._accounts = {account.api_key: account for account in accounts}
        self._public = queries.public_routes()
        self._order_routes = desk.routes()
        self._private: dict[str, Handler] = {**queries.private_routes(), **self._order_routes}
        self._key_routes: dict[str, KeyHandler] = {
            "subscribe/get_key": self._get_key,
            "subscribe/refresh_key": self._refresh_key,
            "subscribe/destroy_key": self._destroy_key,
        }
        self._order_quota = Quota(ORDER_QUOTA, QUOTA_SECONDS, stage.elapsed)
        self._other_quota = Quota(OTHER_QUOTA, QUOTA_SECONDS, stage.elapsed)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path in self._public:
            return self._wrap(request.path, "v2", self._public[request.path](request.query))
        match = _PATH.fullmatch(request.path)
        name = match[2] if match else ""
        if match is None or not self._serves(name):
            return Reply(status=404, body=_NOT_FOUND, content_type="text/html")
        version = match[1]
        try:
            parameters = request.query | request.form
            account = self._check(request, parameters, name, version)
            if name in self._key_routes:
                return self._encode(self._key_routes[name](account, parameters, version))
            return self._wrap(name, version, self._private[name](account, parameters))
        except Refusal as refusal:
            return self.refuse(refusal.code)

    def _serves(self, name: str) -> bool:
        switches = self._switches()
        if name.startswith("spot/trade/orders_info") and not switches.spot_trade:
            return False
        if name == "order_transaction_detail" and not switches.order_trades:
            return False
        return name in self._private or name in self._key_routes

    def refuse(self, code: int) -> Reply:
        """An error in LBank's envelope."""
        result: str | bool = False if self._switches().envelope == "boolean" else "false"
        return self._encode(
            {
                "result": result,
                "msg": MESSAGES.get(code, "Error"),
                "error_code": code,
                "ts": self._stage.now_ms(),
            }
        )

    def _check(
        self, request: Request, parameters: Mapping[str, str], name: str, version: str
    ) -> int:
        """Check who asks, in the order in which LBank does. Gives the account."""
        api_key = parameters.get("api_key", "")
        if not api_key or "sign" not in parameters:
            raise Refusal(10201)
        if version == "v2":
            check_extras(request.headers, self._stage.now_ms())
        account = self._accounts.get(api_key)
        if account is None:
            raise Refusal(10005)
        if version == "v2":
            check_v2(parameters, request.headers, account.secret)
        else:
            check_v1(parameters, account.secret)
        if refuse := self._stage.faults.find(RefuseLogin, account.index):
            raise Refusal(refuse.code or 10022)
        quota = self._order_quota if name in self._order_routes else self._other_quota
        if self._stage.scenario.rate_limits and not quota.allows(api_key):
            raise Refusal(10004)
        return account.index

    # --- envelopes -------------------------------------------------------------------

    def _wrap(self, name: str, version: str, data: Any) -> Reply:
        if version == "v1":
            body = data if isinstance(data, dict) and "orders" in data else {_V1_NAMES[name]: data}
            # An empty list of orders was seen as an empty text.
            body = {key: "" if value == [] else value for key, value in body.items()}
            return self._encode({"result": "true", **body})
        kind = self._switches().envelope
        boolean = kind == "boolean" or (
            kind == "mixed" and any(word in name for word in _BOOLEAN_RESULTS)
        )
        return self._encode(
            {
                "msg": "Success",
                "result": True if boolean else "true",
                "data": data,
                "error_code": 0,
                "ts": self._stage.now_ms(),
            }
        )

    def _encode(self, data: Any) -> Reply:
        return Reply(body=_ENCODER.encode(data))

    # --- stream keys -----------------------------------------------------------------

    def _get_key(self, account: int, _: Mapping[str, str], version: str) -> Any:
        key = self._keys.get(account, self._switches())
        where = self._switches().key_answer
        if where == "documented":
            where = "subscribe_key" if version == "v1" else "data"
        if where == "subscribe_key":
            return {"result": "true", "subscribeKey": key}
        if where == "key":
            return {"key": key}
        data = key if where == "data" else {"key": key}
        return {"result": True, "data": data, "error_code": 0, "ts": self._stage.now_ms()}

    def _refresh_key(self, account: int, parameters: Mapping[str, str], _: str) -> Any:
        text = parameters.get("subscribeKey", "")
        return self._confirm(self._keys.refresh(text, account, self._switches()), text)

    def _destroy_key(self, account: int, parameters: Mapping[str, str], _: str) -> Any:
        text = parameters.get("subscribeKey", "")
        return self._confirm(self._keys.destroy(text, account, self._switches()), text)

    def _confirm(self, done: bool, key: str) -> Any:
        if not key:
            raise Refusal(10001)
        if not done:
            # Which code a dead key gets is not documented.
            raise Refusal(10003)
        if self._switches().refresh_answer == "boolean":
            return {"result": True, "error_code": 0, "ts": self._stage.now_ms()}
        return {"result": "true"}
