"""Row 26: secrets in every place where one may stand, and everything that could show them."""

import base64
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import trio

from gateway.admin.doors import CONTROL_SOCKET
from gateway.admin.unix_sockets import connect_to_path
from tests.doubles.receiver import Post, Receiver, Reply, open_receiver
from tests.scenarios.outside import gateway
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import Rig, open_rig, wait_until

HOOK_KEY = "whsec_" + base64.b64encode(b"canary-of-the-hook-signing-key!!").decode()
PAGES = (
    "/", "/metrics", "/healthz", "/readyz", "/openapi.json", "/api/v1/status",
    "/api/v1/accounts/lbank-1", "/api/v1/accounts/fmex-2", "/api/v1/events?since_seq=0",
    "/api/v1/dead-letters", "/api/v1/dead-letters/1", "/api/v1/gaps", "/api/v1/nothing-here",
    "/events",
)  # fmt: skip
COMMANDS = (
    ("status",), ("status", "--json"), ("check", "--json"), ("check", "--connect"),
    ("dlq", "list", "--json"), ("dlq", "show", "1", "--json"), ("journal", "info"),
    ("journal", "verify"), ("schema", "config"), ("top", "--once", "--every", "0.2"),
    ("replay", "--sink", "desk", "--from", "1", "--dry-run"), ("account", "recover", "lbank-1"),
    ("tail", "-n", "1000", "--json"), ("reload",),
)  # fmt: skip
ANSWER_SECONDS = 3.0
"""Far more than any answer takes; `/events` never ends."""
LEAKY = '''
"""A sink by somebody else, which puts its password into an error."""
from contextlib import asynccontextmanager
import msgspec
from gateway.contracts.sink import SinkSpec
from gateway.contracts.values import Secret

class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Its options."""
    password: Secret
    """Of the database."""

class Leaky:
    def __init__(self, password):
        self.password = password
    async def deliver(self, items):
        raise RuntimeError(f"cannot connect as postgres://gateway:{self.password}@db")

@asynccontextmanager
async def open_leaky(settings, context):
    yield Leaky(settings.password.read())

SINK = SinkSpec(name="leaky", summary="Crashes.", settings=Settings, open=open_leaky)
'''


class Places:
    """Puts each secret where it stands, and remembers what nobody may see."""

    def __init__(self, rig: Rig, directory: Path) -> None:
        self.rig = rig
        self.canaries: dict[str, str] = {}
        self._directory = directory
        self._credentials = directory / "credentials"
        self._credentials.mkdir(parents=True)
        rig.daemon.environment["CREDENTIALS_DIRECTORY"] = str(self._credentials)

    def literal(self, what: str, value: str) -> str:
        """In gateway.yaml itself."""
        self.canaries[what] = value
        return f'"{value}"'

    def env(self, what: str, value: str) -> str:
        """In the environment."""
        self.canaries[what] = value
        name = f"CANARY_{len(self.canaries)}"
        self.rig.daemon.environment[name] = value
        return f"{{env: {name}}}"

    def file(self, what: str, value: str) -> str:
        """In a file."""
        self.canaries[what] = value
        path = self._directory / f"secret-{len(self.canaries)}"
        path.write_text(value + "\n")
        path.chmod(0o600)
        return f"{{file: {path}}}"

    def credential(self, what: str, value: str) -> str:
        """Where systemd puts it."""
        self.canaries[what] = value
        name = f"canary-{len(self.canaries)}"
        (self._credentials / name).write_text(value)
        return f"{{credential: {name}}}"

    def sightings(self, where: str, text: str | bytes) -> Iterator[str]:
        """Every canary that shows, as it is or percent-encoded."""
        data = text.encode() if isinstance(text, str) else text
        for what, value in self.canaries.items():
            for spelling in {value, quote(value, safe="")}:
                if spelling.encode() in data:
                    yield f"{what} in {where}"


async def test_secrets_never_show(tmp_path: Path, results: Results):
    """No log, journal, dead letter, answer, traceback or process list shows any of them."""
    async with open_receiver() as desk, open_proxy() as proxy, open_rig(tmp_path) as rig:
        places = Places(rig, tmp_path / "kept")
        install_leaky(rig, tmp_path / "site")
        desk.reply = Echo()
        write_config(rig, places, desk, proxy)
        await rig.daemon.start()
        await wait_until(partial(are_live, rig, "lbank-1", "fmex-1"), 60, "two accounts")
        [stream_key] = stream_keys(rig)
        places.canaries["stream key"] = stream_key
        rig.set_rate(20)
        known = [v for k, v in places.canaries.items() if k.startswith(("lbank-1", "stream"))]
        rig.venues["lbank"].inject(f"never heard of {' '.join(known)}", account=0)
        await wait_until(lambda: has_letters(rig), 30, "dead letters")
        await wait_until(lambda: said(rig, "cannot connect as", "407", "answered 401"), 60, "leaks")

        seen = [one for page in PAGES for one in places.sightings(page, await fetch(rig, page))]
        for command in COMMANDS:
            told = await gateway(rig, *command)
            seen += places.sightings(f"gateway {' '.join(command)}", told.out + told.err)
        seen += places.sightings("process list", command_line(rig.daemon.pid))
        rig.daemon.signal(signal.SIGABRT)
        await rig.daemon.wait_ended()
        seen += places.sightings("log", rig.daemon.log.read_bytes())
        files = [path for path in rig.state_dir.rglob("*") if path.is_file()]
        for path in files:
            seen += places.sightings(path.name, path.read_bytes())

        assert not seen, "\n".join(seen)
        assert len(places.canaries) >= 12
        log = rig.daemon.log.read_text()
        assert "Traceback" in log
        assert "[redacted]" in log
        results.note(
            26, "canary secrets", Form.SHORT, canaries=len(places.canaries), shown=0,
            pages=len(PAGES), commands=len(COMMANDS), files=len(files) + 1,
        )  # fmt: skip


def write_config(rig: Rig, places: Places, desk: Receiver, proxy: str) -> None:
    """Every place and every form."""
    authorization = places.credential("bearer", "canary-bearer-0123456789")
    rig.sinks["desk"] = (
        f"{{type: webhook, url: {places.file('hook URL', desk.url + '/canary-path-5f2c')},"
        f" secrets: [{places.env('hook key', HOOK_KEY)}],"
        f" headers: {{authorization: {authorization},"
        f" x-key: {places.literal('header', 'canary-header-77')}}},"
        " start: earliest, retry: {initial: 50ms, max: 1s}}"
    )
    password = places.env("leaky", "canary-database-password")
    rig.sinks["leaky"] = f"{{type: leaky, password: {password}, start: earliest}}"
    proxy_password = places.canaries["proxy"] = "canary-proxy-password"
    rig.patches["fmex-2"] = f'    proxy: "http://someone:{proxy_password}@{proxy}"\n'
    rig.write_config()
    text = rig.daemon.config.read_text()
    ways = [places.env, places.file, places.credential, places.literal]
    for number, (name, (venue, index)) in enumerate(rig.accounts.items()):
        key, secret = venue.credentials[index]
        put_key, put_secret = ways[number % 4], ways[(number + 1) % 4]
        text = text.replace(f'api_key: "{key}"', f"api_key: {put_key(f'{name} key', key)}")
        text = text.replace(
            f'secret: "{secret}"', f"secret: {put_secret(f'{name} secret', secret)}"
        )
    token = places.file("token", "canary-token-of-the-status-page")
    listen = f"{{listen: '127.0.0.1:0', token: {token}}}"
    rig.daemon.config.write_text(text.replace("http: null", f"http: {listen}"))
    rig.daemon.config.chmod(0o600)


class Echo:
    """A receiver that repeats in its refusals whatever it was told."""

    def __init__(self) -> None:
        self._turned_away = 0

    def __call__(self, post: Post) -> Reply:
        """Turn the first few away, then refuse one in five for good."""
        repeated = " ".join([post.target, *post.headers.values()])[:250].encode()
        if self._turned_away < 3:
            self._turned_away += 1
            return Reply(401, repeated)
        return Reply(400 if json.loads(post.body)["seq"] % 5 == 0 else 200, repeated)


def install_leaky(rig: Rig, site: Path) -> None:
    """Install a third party's sink for the daemon alone."""
    info = site / "leaky-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leaky\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gateway.sinks]\nleaky = leaky_sink:SINK\n")
    (site / "leaky_sink.py").write_text(LEAKY)
    root = str(Path(__file__).parents[2])
    rig.daemon.environment |= {"PYTHONPATH": f"{site}:{root}", "PYTHONFAULTHANDLER": "1"}


@asynccontextmanager
async def open_proxy() -> AsyncIterator[str]:
    """A proxy that wants another password and repeats the one it was given."""

    async def refuse(stream: trio.SocketStream) -> None:
        async with stream:
            asked = b"".join([await stream.receive_some(4096)])
            line = [one for one in asked.split(b"\r\n") if one.lower().startswith(b"proxy-auth")]
            await stream.send_all(b"HTTP/1.1 407 Not " + b" ".join(line) + b"\r\n\r\n")

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, refuse, [listener])
        yield f"127.0.0.1:{listener.socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def fetch(rig: Rig, page: str) -> bytes:
    """One answer, head and all; of one without an end what the journal has so far."""
    sock = trio.socket.from_stdlib_socket(connect_to_path(rig.state_dir / CONTROL_SOCKET, 5))
    async with trio.SocketStream(sock) as stream:
        ask = f"GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        await stream.send_all(f"{ask}Last-Event-ID: 0\r\n\r\n".encode())
        answer = bytearray()
        with trio.move_on_after(ANSWER_SECONDS):
            async for part in stream:
                answer += part
        assert answer, page
        return bytes(answer)


def command_line(pid: int) -> bytes:
    """What `ps` shows to everybody."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def stream_keys(rig: Rig) -> list[str]:
    """What the pretend LBank gave to the first account."""
    keys = rig.venues["lbank"].venue._keys._keys.values()
    return [key.text for key in keys if key.account == 0]


def are_live(rig: Rig, *accounts: str) -> bool:
    """Whether these accounts are live."""
    status = rig.daemon.status()["accounts"]
    return all(status[name]["state"] == "live" for name in accounts)


def has_letters(rig: Rig) -> bool:
    """Whether the desk refused some events, and others are through."""
    desk = rig.daemon.status()["sinks"]["desk"]
    return bool(desk["dead_letters"] > 2 and desk["delivered"] > 5)


def said(rig: Rig, *words: str) -> bool:
    """Whether all of these stand in the log."""
    log = rig.daemon.log.read_text()
    return all(word in log for word in words)
