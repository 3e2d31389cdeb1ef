"""What comes in at the door: REST requests, upgrades to WebSocket, and control.

REST faults are played here, before or instead of the venue's answer.
"""

import contextlib
from collections.abc import Callable
from decimal import localcontext
from typing import Final

import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import generate_accept_token

from gateway.simulator import steps
from gateway.simulator.arithmetic import EXACT
from gateway.simulator.audience import Audience
from gateway.simulator.connection import ClientConnection
from gateway.simulator.dialect import Reply, Request, Venue
from gateway.simulator.faults import Faults
from gateway.simulator.http import BadRequest, HttpConnection
from gateway.simulator.scenario import Scenario

CONTROL_PREFIX: Final = "/_sim"
_HTML: Final = b"<html><head><title>Just a moment</title></head><body>Please wait</body></html>"
_FILLER: Final = b" " * 65_536
_ENDLESS_PAUSE_SECONDS: Final = 0.01


class Server:
    """Serves one client connection after the other, many at a time."""

    def __init__(
        self,
        venue: Venue,
        websocket_path: str,
        scenario: Scenario,
        faults: Faults,
        audience: Audience,
        control: Callable[[Request], Reply],
    ) -> None:
        self._venue = venue
        self._websocket_path = websocket_path.rstrip("/")
        self._scenario = scenario
        self._faults = faults
        self._audience = audience
        self._control = control

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Serve one client, on TCP or on any other stream, until it leaves."""
        http = HttpConnection(stream)
        broken = (trio.BrokenResourceError, trio.ClosedResourceError)
        try:
            with contextlib.suppress(*broken):
                while request := await http.next_request():
                    if request.headers.get("upgrade", "").lower() == "websocket":
                        await self._upgrade(http, request)
                        return
                    await self._answer(http, request)
        except BadRequest as error:
            with contextlib.suppress(*broken):
                await stream.send_all(f"HTTP/1.1 400 {error}\r\n\r\n".encode())
        finally:
            await trio.aclose_forcefully(stream)

    # --- REST ----------------------------------------------------------------------

    async def _answer(self, http: HttpConnection, request: Request) -> None:
        if request.path.startswith(CONTROL_PREFIX):
            await http.answer(self._control(request))
        elif not self._faults.any or not await self._spoil(http, request):
            await http.answer(self._ask_venue(request))

    def _ask_venue(self, request: Request) -> Reply:
        with localcontext(EXACT):
            return self._venue.answer(request)

    async def _spoil(self, http: HttpConnection, request: Request) -> bool:
        """Play the REST faults in force; True when the request was dealt with."""
        if slow := self._faults.find_rest(steps.Slow, request.path):
            await trio.sleep(slow.by)
        if self._faults.find_rest(steps.Hang, request.path):
            await _wait_until_client_leaves(http.stream)
            raise trio.BrokenResourceError
        if instead := self._substitute(request.path):
            await http.answer(instead)
            return True
        if self._faults.find_rest(steps.Endless, request.path):
            await http.begin(Reply(), None)
            while True:
                await http.send(_FILLER)
                # Endless enough for any client, yet gentle to the machine.
                await trio.sleep(_ENDLESS_PAUSE_SECONDS)
        if self._faults.find_rest(steps.HalfAnswer, request.path):
            reply = self._ask_venue(request)
            await http.begin(reply, len(reply.body))
            await http.send(reply.body[: len(reply.body) // 2])
            raise trio.BrokenResourceError
        return False

    def _substitute(self, path: str) -> Reply | None:
        if status := self._faults.find_rest(steps.Status, path):
            return _not_now(status, b"{}")
        if self._faults.find_rest(steps.Html, path):
            return Reply(body=_HTML, content_type="text/html")
        if reject := self._faults.find_rest(steps.RejectRest, path):
            return self._venue.reject(reject.code)
        return None

    # --- WebSocket -----------------------------------------------------------------

    async def _upgrade(self, http: HttpConnection, request: Request) -> None:
        if self._faults.find(steps.StallConnect, None):
            await _wait_until_client_leaves(http.stream)
            return
        if refuse := self._faults.find(steps.RefuseConnect, None):
            await http.answer(_not_now(refuse, b""))
            return
        if request.path.rstrip("/") != self._websocket_path:
            await http.answer(Reply(status=404))
            return
        await self._talk(http, request)

    async def _talk(self, http: HttpConnection, request: Request) -> None:
        extension = PerMessageDeflate()
        agreed = self._agree_on_deflate(request, extension)
        self._audience.met += 1
        connection = ClientConnection(
            self._audience.met,
            http.stream,
            Connection(ConnectionType.SERVER, [extension]),
            self._faults,
            deflate=agreed is not None,
            answer_pings=self._scenario.answer_pings,
        )
        session = self._venue.admit(request, connection)
        if isinstance(session, Reply):
            await http.answer(session)
            return
        connection.session = session
        # Before the client can know that it is let in: what happens from then on is pushed.
        self._audience.enter(connection)
        try:
            early = await http.switch_protocols(_upgrade_headers(request, agreed))
            await connection.serve(session, early)
        finally:
            self._audience.leave(connection)

    def _agree_on_deflate(self, request: Request, extension: PerMessageDeflate) -> str | None:
        """The answer to an offer of permessage-deflate; None for no compression."""
        offer = request.headers.get("sec-websocket-extensions", "")
        if not self._scenario.deflate or "permessage-deflate" not in offer:
            return None
        parameters = extension.accept(offer)
        return f"permessage-deflate; {parameters}" if parameters else "permessage-deflate"


def _not_now(fault: steps.Status | steps.RefuseConnect, body: bytes) -> Reply:
    after = fault.retry_after
    headers = () if after is None else (("retry-after", str(after)),)
    return Reply(status=fault.status, body=body, headers=headers)


def _upgrade_headers(request: Request, deflate: str | None) -> list[tuple[str, str]]:
    key = request.headers.get("sec-websocket-key", "").encode()
    headers = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", generate_accept_token(key).decode()),
    ]
    return headers if deflate is None else [*headers, ("Sec-WebSocket-Extensions", deflate)]


async def _wait_until_client_leaves(stream: trio.abc.Stream) -> None:
    while await stream.receive_some(len(_FILLER)):
        pass
