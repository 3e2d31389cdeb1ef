"""Health probes and Prometheus metrics."""

from http import HTTPStatus
from typing import Final

import trio
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from gateway.admin.house import House
from gateway.admin.messages import Problem, Reply, json_reply
from gateway.admin.model import Probe
from gateway.admin.routes import Call, Route

PLAIN_TEXT: Final = "text/plain"


class _Scrape:
    """Families already collected, in the shape that prometheus_client's encoders ask for."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


class ProbeAnswers:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, house: House) -> None:
        self._house = house
        # Of its own, so that scrapes cannot use up the threads of others.
        self._thread = trio.CapacityLimiter(1)

    def routes(self) -> list[Route]:
        """What this answers."""
        down = (HTTPStatus.SERVICE_UNAVAILABLE,)
        return [
            Route(
                method="GET",
                path="/healthz",
                summary="200 while the loop and the journal writer answer; for restarts",
                answer=self._health,
                gives=Probe,
                problems=down,
                open_to_all=True,
            ),
            Route(
                method="GET",
                path="/readyz",
                summary="200 while events are journalled; 503 while starting, draining, disk full",
                answer=self._readiness,
                gives=Probe,
                problems=down,
                open_to_all=True,
            ),
            Route(
                method="GET",
                path="/metrics",
                summary="Prometheus metrics",
                answer=self._metrics,
                gives=PLAIN_TEXT,
            ),
        ]

    async def _health(self, _call: Call) -> Reply:
        return _probe_reply(self._house.health())

    async def _readiness(self, _call: Call) -> Reply:
        return _probe_reply(self._house.readiness())

    async def _metrics(self, call: Call) -> Reply:
        encode, content_type = choose_encoder(call.request.headers.get("accept", ""))
        # Cells are read here, in the loop that writes them; printing ten thousand
        # lines takes long enough to be somebody else's work.
        scrape = _Scrape(list(self._house.metrics.collect()))
        body = await trio.to_thread.run_sync(encode, scrape, limiter=self._thread)
        return Reply(body=body, content_type=content_type)


def _probe_reply(probe: Probe) -> Reply:
    if not probe.ok:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, probe.reason)
    return json_reply(probe)
