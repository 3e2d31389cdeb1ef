"""Who is let in.

Three questions about each request, for three kinds of attack:

- Is the `Host` ours? A web page may point a name of its own at 127.0.0.1 (DNS
  rebinding) and then read us as if we were its own site; the name gives it away.
- Does it come from one of our own pages? A foreign page can make a browser POST
  to us (CSRF), but not hide that it did: `Sec-Fetch-Site` and `Origin` tell.
- Does it know the token? Scripts send it as `Authorization: Bearer`, the page as
  a cookie that the login form hands out.

`control.sock` asks none of them: the kernel has told who is there.
"""

import hmac
import socket
from hashlib import sha256
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from gateway.admin.messages import Peer, Problem, Request
from gateway.admin.routes import READING, Route
from gateway.admin.settings import HttpSettings, TcpAddress
from gateway.clock import Clock

COOKIE: Final = "gateway_session"
SESSION_SECONDS: Final = 7 * 24 * 3600
"""A page that is left open all week should not ask again in the middle of it."""


class Guard:
    """Decides on one request at a time; keeps no state of its own.

    A session cookie is its expiry time signed with the token: it outlives a
    restart, and a new token voids it.
    """

    def __init__(self, settings: HttpSettings, token: str | None, clock: Clock) -> None:
        self._token = token
        self._clock = clock
        address = settings.address
        own = address.host if isinstance(address, TcpAddress) else "localhost"
        self._hosts = frozenset(
            name.lower()
            for name in (
                "localhost",
                "127.0.0.1",
                "::1",
                own,
                socket.gethostname(),
                *settings.hosts,
            )
        )

    @property
    def asks_token(self) -> bool:
        """Whether anybody but probes must show a token."""
        return self._token is not None

    def check(self, route: Route, request: Request) -> None:
        """Raise `Problem` unless the request may be answered."""
        if request.peer.trusted:
            return
        if request.method not in READING:
            self._check_site(request)
        if not route.open_to_all and not self.knows_token(request):
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "this needs the token of `http.token`",
                todo="Send it as `Authorization: Bearer …`, or log in at /login.",
                headers=(("www-authenticate", 'Bearer realm="gateway"'),),
            )

    def check_host(self, request: Request) -> None:
        """Raise `Problem` when the request names a host that is not ours."""
        host = request.headers.get("host")
        # HTTP/1.0 may leave it out (h11 insists on it in 1.1); no browser does.
        if host is None or request.peer.trusted or self._is_ours(host, request.peer):
            return
        raise Problem(
            HTTPStatus.MISDIRECTED_REQUEST,
            f"Host {host[:100]!r} is not a name of this gateway",
            todo="Use the address it listens on, or add the name to `http.hosts`.",
        )

    def knows_token(self, request: Request) -> bool:
        """Whether the request carries the token, or a session made with it."""
        if self._token is None or request.peer.trusted:
            return True
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.is_token(given.strip().encode("latin-1"))
        return self._is_session(_cookie(request))

    def is_token(self, given: bytes) -> bool:
        """Compare with the token, in a time that does not depend on how much agrees."""
        return self._token is None or hmac.compare_digest(given, self._token.encode())

    def session_cookie(self, *, secure: bool) -> str:
        """A `Set-Cookie` value for somebody who has shown the token."""
        expires = str(self._now() + SESSION_SECONDS)
        value = f"{expires}.{self._sign(expires)}"
        return f"{COOKIE}={value}; Path=/; Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Strict" + (
            "; Secure" if secure else ""
        )

    def _check_site(self, request: Request) -> None:
        site = request.headers.get("sec-fetch-site", "none")
        origin = request.headers.get("origin")
        # The scheme is left out: behind a proxy that ends TLS it is not the one we see.
        host = request.headers.get("host", "").lower()
        same_origin = origin is None or origin.lower().partition("://")[2] == host
        if site not in ("same-origin", "none") or not same_origin:
            raise Problem(
                HTTPStatus.FORBIDDEN,
                "orders are taken from the gateway's own pages only, not from other sites",
            )

    def _is_ours(self, host: str, peer: Peer) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        return name is not None and (name in self._hosts or name == peer.local_host)

    def _is_session(self, value: str) -> bool:
        expires, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(expires).encode()):
            return False
        return self._now() < int(expires)

    def _sign(self, expires: str) -> str:
        key = (self._token or "").encode()
        return hmac.new(key, f"session until {expires}".encode(), sha256).hexdigest()

    def _now(self) -> int:
        return self._clock.now_ns() // 1_000_000_000


def _cookie(request: Request) -> str:
    try:
        jar = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""
