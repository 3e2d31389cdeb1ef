"""The status page, and the login that it needs off loopback."""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs

import trio

from gateway.admin.guard import Guard
from gateway.admin.messages import Headers, Problem, Reply
from gateway.admin.page import Page, load_page
from gateway.admin.routes import Call, Route
from gateway.telemetry.happenings import Happening, Level

HTML: Final = "text/html; charset=utf-8"
WRONG_TOKEN_SECONDS: Final = 1
"""A wrong guess costs this much, so that guessing is no way in."""

LOGIN_REFUSED: Final = Happening(
    "http_login_refused", Level.WARNING, "Somebody tried a wrong token at the login form."
)


class PageAnswers:
    """`/`, `/login` and `/logout`."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._status = load_page("status.html", "style.css", "words.js", "view.js", "live.js")
        self._login = load_page("login.html", "style.css")

    def routes(self) -> list[Route]:
        """What this answers."""
        return [
            Route(
                method="GET",
                path="/",
                summary="The status page",
                answer=self._show_status,
                gives="text/html",
                redirects=True,
                open_to_all=True,  # without the token it leads to the login
            ),
            Route(
                method="GET",
                path="/login",
                summary="A form that asks for the token",
                answer=self._show_login,
                gives="text/html",
                redirects=True,
                open_to_all=True,
            ),
            Route(
                method="POST",
                path="/login",
                summary="Takes the form's `token` and answers with a session cookie",
                answer=self._log_in,
                gives="text/html",
                redirects=True,
                problems=(HTTPStatus.FORBIDDEN,),
                open_to_all=True,
            ),
        ]

    async def _show_status(self, call: Call) -> Reply:
        if not self._guard.knows_token(call.request):
            return _go("/login")
        return _page_reply(self._status)

    async def _show_login(self, call: Call) -> Reply:
        if self._guard.knows_token(call.request):
            return _go("/")
        return _page_reply(self._login)

    async def _log_in(self, call: Call) -> Reply:
        form = parse_qs(call.request.body, max_num_fields=5)
        if not self._guard.is_token(form.get(b"token", [b""])[0].strip()):
            LOGIN_REFUSED.emit(peer=call.request.peer.address)
            await trio.sleep(WRONG_TOKEN_SECONDS)
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "that is not the token",
                todo="The token is where `http.token` in gateway.yaml says.",
            )
        cookie = self._guard.session_cookie(secure=call.request.peer.secure)
        return _go("/", ("set-cookie", cookie))


def _go(to: str, *headers: tuple[str, str]) -> Reply:
    return Reply(status=HTTPStatus.SEE_OTHER, headers=(("location", to), *headers))


def _page_reply(page: Page) -> Reply:
    headers: Headers = (("content-security-policy", page.policy), ("x-frame-options", "DENY"))
    return Reply(body=page.html, content_type=HTML, headers=headers)
