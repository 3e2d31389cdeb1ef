"""Control and insight over HTTP, under ``/_sim``: for scripts that test a consumer.

curl localhost:PORT/_sim/truth?after=0
curl localhost:PORT/_sim/do -d '{"do": "silence", "for": "30s", "account": 0}'
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from gateway.errors import ConfigurationError
from gateway.simulator.audience import Audience
from gateway.simulator.dialect import Reply, Request, Venue
from gateway.simulator.director import Director
from gateway.simulator.faults import Faults
from gateway.simulator.scenario import convert_step
from gateway.simulator.truth import Truth

HELP: Final = {
    "GET /_sim/truth?after=N&account=I": "facts after number N and what became of their pushes",
    "GET /_sim/state?account=I": "balances, positions and open orders as they truly are",
    "GET /_sim/connections": "who is connected",
    "GET /_sim/faults": "how often each fault has met a connection, push or request",
    "POST /_sim/do": "perform one step of a scenario's timeline, as JSON, now",
    "POST /_sim/heal": "end every fault that lasts",
}


class Control:
    """Answers requests under ``/_sim``."""

    def __init__(
        self, venue: Venue, truth: Truth, faults: Faults, audience: Audience, director: Director
    ) -> None:
        self._venue = venue
        self._truth = truth
        self._faults = faults
        self._audience = audience
        self._director = director
        self._routes: Mapping[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "/_sim"): lambda _: HELP,
            ("GET", "/_sim/truth"): self._tell_truth,
            ("GET", "/_sim/state"): self._tell_state,
            ("GET", "/_sim/connections"): self._tell_connections,
            ("GET", "/_sim/faults"): lambda _: self._faults.struck,
            ("POST", "/_sim/do"): self._do,
            ("POST", "/_sim/heal"): self._heal,
        }

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        route = self._routes.get((request.method, request.path.rstrip("/")))
        if route is None:
            return _reply(404, {"error": "no such path or method", "paths": HELP})
        try:
            return _reply(200, route(request))
        except (msgspec.MsgspecError, ConfigurationError, ValueError, IndexError) as error:
            return _reply(400, {"error": str(error)})

    def _tell_truth(self, request: Request) -> Any:
        account = request.query.get("account")
        return self._truth.report(
            int(request.query.get("after", "0")), int(account) if account else None
        )

    def _tell_state(self, request: Request) -> Any:
        return self._venue.state(int(request.query.get("account", "0")))

    def _tell_connections(self, _: Request) -> Any:
        return [
            {"connection": connection.number, "account": connection.account}
            for connection in self._audience.of(None)
        ]

    def _do(self, request: Request) -> Any:
        step = convert_step(msgspec.json.decode(request.body))
        self._director.check(step)
        self._director.perform(step)
        return {"done": True}

    def _heal(self, _: Request) -> Any:
        self._faults.end()
        return {"done": True}


def _reply(status: int, data: Any) -> Reply:
    return Reply(status=status, body=msgspec.json.encode(data) + b"\n")
