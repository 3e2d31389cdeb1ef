"""Who is let in: the token, the Host header, other sites, other users."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trustme

from gateway.admin import doors
from gateway.admin.doors import DoorShut
from gateway.admin.guard import SESSION_SECONDS
from gateway.admin.unix_sockets import PathTaken, listen_on_path
from gateway.contracts.values import Secret
from tests.doubles.house import SECOND_NS
from tests.doubles.http_client import Client, connect
from tests.gateway.admin.conftest import Serve, Served

TOKEN = "correct horse battery staple"
BEARER = {"authorization": f"Bearer {TOKEN}"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def locked(serve: Serve):
    """A server that asks for a token."""
    async with serve(token=Secret.of(TOKEN)) as it:
        yield it


# --- the token ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/v1/status", "/metrics", "/events", "/openapi.json"])
async def test_without_the_token_nothing_is_told(locked: Served, path: str):
    """401 says how to authenticate, and shows nothing else."""
    async with connect(locked.url) as client:
        told = await client.ask(path)

    assert told.status == 401
    assert told.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_need_no_token(locked: Served, path: str):
    """Whoever restarts us need not know a secret."""
    async with connect(locked.url) as client:
        assert (await client.ask(path)).status == 200


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        ("Bearer ", 401),
        ("Bearer \xff\xfe", 401),
        (f"Basic {TOKEN}", 401),
        (TOKEN, 401),
    ],
)
async def test_the_bearer_token_must_be_exact(locked: Served, given: str, status: int):
    """Only the whole token opens."""
    async with connect(locked.url) as client:
        raw = f"GET /api/v1/status HTTP/1.1\r\nhost: localhost\r\nauthorization: {given}\r\n\r\n"
        await client.stream.send_all(raw.encode("latin-1"))
        answer = await client.stream.receive_some(65536)

    assert answer.startswith(b"HTTP/1.1 %d " % status)


async def test_the_page_leads_to_a_login_that_gives_a_session(locked: Served):
    """The form trades the token for a cookie that scripts cannot read; it opens the API."""
    async with connect(locked.url) as client:
        sent_away = await client.ask("/")
        form = await client.ask("/login")
        logged_in = await client.ask("/login", "POST", FORM, b"token=correct+horse+battery+staple")
        cookie = logged_in.headers["set-cookie"]
        session = {"cookie": f"a=b; {cookie.partition(';')[0]}"}
        page = await client.ask("/", headers=session)
        status = await client.ask("/api/v1/status", headers=session)

    assert (sent_away.status, sent_away.headers["location"]) == (303, "/login")
    assert form.status == 200
    assert (logged_in.status, logged_in.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    assert (page.status, status.status) == (200, 200)


async def test_a_session_ends_with_its_time_and_cannot_be_made_up(locked: Served):
    """An expired, lengthened or garbled cookie is none."""
    async with connect(locked.url) as client:
        cookie = (
            (await client.ask("/login", "POST", FORM, f"token={TOKEN}".encode()))
            .headers["set-cookie"]
            .partition(";")[0]
        )
        name, _, value = cookie.partition("=")
        expires, _, signature = value.partition(".")
        forged = [f"{int(expires) + 1}.{signature}", f"{expires}.", "x.y", "", "."]
        for made_up in forged:
            told = await client.ask("/api/v1/status", headers={"cookie": f"{name}={made_up}"})
            assert told.status == 401
        locked.clock.now += (SESSION_SECONDS + 1) * SECOND_NS
        assert (await client.ask("/api/v1/status", headers={"cookie": cookie})).status == 401


async def test_a_wrong_token_at_the_login_is_refused_and_slow(
    locked: Served, monkeypatch: pytest.MonkeyPatch
):
    """Guessing costs time, and gives no session."""
    monkeypatch.setattr("gateway.admin.answers.pages.WRONG_TOKEN_SECONDS", 0.01)
    async with connect(locked.url) as client:
        told = await client.ask("/login", "POST", FORM, b"token=guess")

    assert told.status == 403
    assert "set-cookie" not in told.headers


# --- the Host header --------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8780", 200),
        ("127.0.0.1:1234", 200),
        ("[::1]:8780", 200),
        ("gateway.example:443", 200),
        (socket.gethostname(), 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example@localhost", 200),  # user info names no host
        ("localhost@evil.example", 421),
        ("[::1", 421),
        ("", 421),
    ],
)
async def test_only_our_own_names_are_answered(serve: Serve, host: str, status: int):
    """A foreign name that points at us (DNS rebinding) gets nothing."""
    async with serve(hosts=("gateway.example",)) as served, connect(served.url) as client:
        told = await client.ask("/api/v1/status", headers={"host": host})

    assert status == told.status


async def test_http_1_0_without_a_host_is_answered(served: Served):
    """Old probes send none; browsers always do."""
    async with connect(served.url) as client:
        await client.stream.send_all(b"GET /healthz HTTP/1.0\r\n\r\n")

        assert (await client.stream.receive_some()).startswith(b"HTTP/1.1 200 ")


# --- other sites ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "http://localhost"}, 200),
        ({"origin": "http://localhost"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, 403),
    ],
)
@pytest.mark.parametrize("authorised", [False, True])
async def test_orders_from_other_sites_are_refused(
    serve: Serve, headers: dict[str, str], status: int, authorised: bool
):
    """A page elsewhere cannot make a browser give orders, token or not."""
    token = {"token": Secret.of(TOKEN)} if authorised else {}
    async with serve(**token) as served, connect(served.url) as client:
        given = headers | (BEARER if authorised else {})
        told = await client.ask("/api/v1/reload", "POST", given)

        assert (status, status == 200) == (told.status, bool(served.house.orders))


async def test_reading_says_that_it_is_ours_alone(served: Served):
    """No other site may embed or frame what we answer, and nothing is cached."""
    async with connect(served.url) as client:
        told = await client.ask("/api/v1/status")

    assert "access-control-allow-origin" not in told.headers
    assert told.headers["cross-origin-resource-policy"] == "same-origin"
    assert (
        told.headers["x-content-type-options"],
        told.headers["cache-control"],
    ) == ("nosniff", "no-store")


# --- control.sock and unix sockets ---------------------------------------------------


async def test_control_sock_serves_the_same_api_without_token_or_host(locked: Served):
    """The kernel has told who is there: nothing else is asked."""
    async with connect(locked.control) as client:
        told = await client.ask("/api/v1/status", headers={"host": "whatever"})
        order = await client.ask("/api/v1/reload", "POST", {"origin": "null"})

    assert (told.status, order.status) == (200, 200)


async def test_control_sock_is_there_even_without_a_network_door(serve: Serve):
    """`http: null` closes the network, not the command line."""
    async with serve(listen=None) as served, connect(served.control) as client:
        assert (await client.ask("/healthz")).status == 200
        assert len(served.admin.addresses) == 1


@pytest.mark.parametrize(("mode", "expected"), [(0o700, 0o600), (0o755, 0o600), (0o750, 0o660)])
async def test_the_state_directory_says_who_may_use_control_sock(
    serve: Serve, tmp_path: Path, mode: int, expected: int
):
    """Ours alone, unless the directory is open to its group and to nobody else."""
    os.chmod(tmp_path, mode)  # noqa: PTH101 - the method is refused in async code

    async with serve() as served:
        path = served.state_dir / "control.sock"
        assert stat.S_IMODE(path.stat().st_mode) == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(("groups", "answered"), [("4242", True), ("4243", False)])
async def test_another_user_is_refused_by_the_kernels_word(
    serve: Serve, tmp_path: Path, groups: str, answered: bool
):
    """Whatever the file's mode says: only our user, root, or the group that was let in."""
    for directory in list(tmp_path.parents)[:-2]:
        os.chmod(directory, 0o755)  # noqa: PTH101 - the method is refused in async code
    os.chown(tmp_path, -1, 4242)
    os.chmod(tmp_path, 0o750)  # noqa: PTH101 - the same
    ask = (
        "import os,socket,sys; os.chdir(sys.argv[1]); os.setgroups([int(sys.argv[2])]);"
        "os.setgid(65534); os.setuid(65534); s=socket.socket(socket.AF_UNIX);"
        "s.connect('control.sock'); s.sendall(b'GET /healthz HTTP/1.0\\r\\n\\r\\n');"
        "sys.stdout.write(str(b' 200 ' in s.recv(100)))"
    )
    async with serve() as served:
        (served.state_dir / "control.sock").chmod(0o666)
        ran = await trio.run_process(
            [sys.executable, "-c", ask, str(tmp_path), groups],
            capture_stdout=True,
            stderr=subprocess.DEVNULL,
            check=False,
        )

    assert answered == (ran.stdout == b"True")


async def test_a_unix_socket_of_the_configuration_is_open_to_its_group(
    serve: Serve, tmp_path: Path
):
    """Mode 0660; the file's permissions are the guard, and it goes when we go."""
    path = tmp_path / "http.sock"
    async with serve(listen=f"unix:{path}") as served, connect(served.url) as client:
        assert (await client.ask("/healthz")).status == 200
        assert stat.S_IMODE(path.stat().st_mode) == 0o660

    assert not path.exists()


async def test_a_long_path_is_no_obstacle(tmp_path: Path):
    """Socket addresses hold 107 bytes; state directories may be deeper."""
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)

    with listen_on_path(deep / "control.sock", 0o600):
        assert (deep / "control.sock").is_socket()


async def test_a_stale_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path):
    """After a crash the file is still there; another gateway's is left alone."""
    path = tmp_path / "control.sock"
    listen_on_path(path, 0o600).close()

    with listen_on_path(path, 0o600), pytest.raises(PathTaken, match="another process"):
        listen_on_path(path, 0o600)


async def test_a_file_in_the_way_is_not_deleted(serve: Serve, tmp_path: Path):
    """What is no socket is somebody's file."""
    (tmp_path / "control.sock").write_text("precious")

    with pytest.raises(DoorShut, match="is no socket"):
        async with serve():
            pass

    assert (tmp_path / "control.sock").read_text() == "precious"


async def test_a_taken_port_is_said_so(served: Served, serve: Serve, tmp_path: Path):
    """The error names the address and the setting."""
    (tmp_path / "control.sock").unlink()
    with pytest.raises(DoorShut, match=r"http\.listen: cannot listen on 127\.0\.0\.1"):
        async with serve(listen=served.url.removeprefix("http://")):
            pass


# --- TLS ----------------------------------------------------------------------------


async def test_https_is_served_with_the_configured_certificate(serve: Serve, tmp_path: Path):
    """A client that trusts the authority reads status; its session cookie is Secure."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    context = doors.ssl.create_default_context()
    authority.configure_trust(context)
    tls = doors.TlsSettings(certificate=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"))

    async with serve(tls=tls, token=Secret.of(TOKEN)) as served:
        host, port = served.url.removeprefix("https://").rsplit(":", 1)
        stream = await trio.open_ssl_over_tcp_stream(
            "localhost", int(port), ssl_context=context, https_compatible=True
        )
        async with stream:
            client = Client(stream)
            told = await client.ask("/api/v1/status", headers=BEARER)
            login = await client.ask("/login", "POST", FORM, f"token={TOKEN}".encode())
        async with await trio.open_tcp_stream(host, int(port)) as plain:
            await plain.send_all(b"GET / HTTP/1.0\r\n\r\n" * 3)
            while await plain.receive_some():
                pass  # an alert, then the end

    assert told.status == 200
    assert "Secure" in login.headers["set-cookie"].split("; ")


async def test_an_unreadable_certificate_is_said_so(serve: Serve, tmp_path: Path):
    """The error names the files."""
    tls = doors.TlsSettings(certificate=str(tmp_path / "no.pem"), key="no.key")

    with pytest.raises(DoorShut, match=r"no\.pem"):
        async with serve(tls=tls):
            pass
