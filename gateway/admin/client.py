"""The other end of `control.sock`: how commands speak to a running gateway.

Plain blocking HTTP, since a command has nothing else to do meanwhile.
"""

import http.client
import socket
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from gateway.admin.doors import CONTROL_SOCKET
from gateway.admin.messages import JSON
from gateway.admin.model import ProblemView
from gateway.admin.unix_sockets import connect_to_path
from gateway.errors import GatewayError

Shape = TypeVar("Shape")

CONNECT_SECONDS: Final = 5
ANSWER_SECONDS: Final = 310
"""A little more than the server gives an order."""


class NotRunning(GatewayError):
    """Nobody serves the control socket of that state directory, or nobody answers there."""


class OrderRefused(GatewayError):
    """The gateway answered, and said no; the message says why and what to do."""


class ControlClient:
    """Speaks to the gateway that runs on a state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / CONTROL_SOCKET

    def get(self, path: str, shape: type[Shape], **query: str | int | None) -> Shape:
        """Ask for something. Raises `NotRunning` and `OrderRefused`."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", f"{path}?{urlencode(given)}" if given else path, shape, None)

    def post(self, path: str, shape: type[Shape], body: Any = None) -> Shape:
        """Give an order and wait for its result. Raises `NotRunning` and `OrderRefused`."""
        return self._ask("POST", path, shape, body)

    def _ask(self, method: str, path: str, shape: type[Shape], body: Any) -> Shape:
        connection = _Connection(self._path)
        encoded = None if body is None else msgspec.json.encode(body)
        try:
            connection.request(method, path, encoded, {"Content-Type": JSON})
            answer = connection.getresponse()
            text = answer.read()
        except TimeoutError:
            raise NotRunning(f"the gateway at {self._path} does not answer") from None
        except (http.client.HTTPException, ConnectionError):
            raise GatewayError(
                f"the gateway at {self._path} hung up: it is stopping, or this user may not ask"
            ) from None
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise OrderRefused(_explain(text))
        return msgspec.json.decode(text, type=shape)


class _Connection(http.client.HTTPConnection):
    """HTTP over the control socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        try:
            self.sock: socket.socket = connect_to_path(self._path, CONNECT_SECONDS)
        except PermissionError:
            raise NotRunning(
                f"{self._path}: permission denied; ask as the gateway's user or as root"
            ) from None
        except TimeoutError:
            raise NotRunning(f"the gateway at {self._path} does not answer") from None
        except OSError:
            raise NotRunning(
                f"no gateway runs here: nobody listens on {self._path}"
                " (start it with `gateway run`, or name its configuration with -c)"
            ) from None
        self.sock.settimeout(ANSWER_SECONDS)


def _explain(text: bytes) -> str:
    try:
        problem = msgspec.json.decode(text, type=ProblemView)
    except msgspec.DecodeError:
        return f"the gateway answered with an error: {text[:200].decode(errors='replace')}"
    return problem.detail if problem.todo is None else f"{problem.detail}\n{problem.todo}"
