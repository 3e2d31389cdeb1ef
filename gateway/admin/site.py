"""From a request to its answer: the guard, the route, and what becomes of errors."""

from http import HTTPStatus
from typing import Final

import trio

from gateway.admin.answers.events import EventAnswers
from gateway.admin.answers.letters import LetterAnswers
from gateway.admin.answers.orders import OrderAnswers
from gateway.admin.answers.pages import PageAnswers
from gateway.admin.answers.probes import ProbeAnswers
from gateway.admin.answers.state import StateAnswers
from gateway.admin.guard import Guard
from gateway.admin.house import House, NotFound, NotNow
from gateway.admin.messages import Problem, Reply, Request, Streaming
from gateway.admin.openapi import OpenApiAnswers
from gateway.admin.routes import READING, Router
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.telemetry.happenings import Happening, Level

READ_SECONDS: Final = 30
ORDER_SECONDS: Final = 300
"""A replay or a reload may take its time; a reader need not."""

REQUEST_FAILED: Final = Happening(
    "http_request_failed", Level.ERROR, "A defect kept a request from being answered."
)


class Site:
    """All routes of one gateway, behind one guard."""

    def __init__(self, house: House, guard: Guard, clock: Clock) -> None:
        self._guard = guard
        routes = [
            *ProbeAnswers(house).routes(),
            *StateAnswers(house, clock).routes(),
            *EventAnswers(house.journal).routes(),
            *OrderAnswers(house).routes(),
            *LetterAnswers(house).routes(),
            *PageAnswers(guard).routes(),
        ]
        self.router: Final = Router(
            [*routes, *OpenApiAnswers(routes, asks_token=guard.asks_token).routes()]
        )

    async def answer(self, request: Request) -> Reply | Streaming:
        """Answer a request. Never raises: errors are answers too."""
        try:
            return await self._answer(request)
        except Problem as problem:
            return problem.reply()
        except NotFound as error:
            return Problem(HTTPStatus.NOT_FOUND, str(error)).reply()
        except NotNow as error:
            return Problem(HTTPStatus.CONFLICT, str(error)).reply()
        except GatewayError as error:
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)).reply()
        except trio.TooSlowError:
            return Problem(HTTPStatus.GATEWAY_TIMEOUT, "the gateway took too long").reply()
        except Exception:  # noqa: BLE001 - the boundary: a defect here must not end the house
            REQUEST_FAILED.emit(method=request.method, path=request.path, exc_info=True)
            return Problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "a defect in the gateway; its log has the traceback",
            ).reply()

    async def _answer(self, request: Request) -> Reply | Streaming:
        self._guard.check_host(request)
        route, call = self.router.find(request)
        self._guard.check(route, request)
        with trio.fail_after(READ_SECONDS if request.method in READING else ORDER_SECONDS):
            return await route.answer(call)
