"""A venue and a sink by somebody else: the packages of docs/examples, built and installed."""

import json
from functools import partial
from pathlib import Path

import pytest
import trio
import trio_websocket

from tests.ops.distributions import REPOSITORY, Distributions, make_venv, run
from tests.scenarios.rig import wait_until

pytestmark = [pytest.mark.scenarios, pytest.mark.timeout(600)]

EXAMPLES = REPOSITORY / "docs" / "examples"
CONFIG = """\
state_dir: {state}
http: null
accounts:
  till:
    venue: paperbank
    url: ws://127.0.0.1:{port}/
    token: {{env: PAPERBANK_TOKEN}}
sinks:
  files: {{type: folder, folder: out, start: earliest}}
"""


@pytest.fixture(scope="module")
def gateway(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, in a venv that has the wheel and both packages."""
    venv = tmp_path_factory.mktemp("third-party") / "venv"
    return make_venv(venv, distributions.wheel, EXAMPLES / "venue", EXAMPLES / "sink") / "gateway"


def test_they_are_offered_like_ours(gateway: Path, tmp_path: Path):
    """`list` and `explain` know them."""
    assert "paperbank" in run(gateway, "list", "venues", cwd=tmp_path)
    assert "Where the files go" in run(gateway, "explain", "folder", cwd=tmp_path)


def test_their_options_are_checked_like_ours(gateway: Path, tmp_path: Path):
    """A misspelt option has its line, its column and a hint."""
    config = tmp_path / "gateway.yaml"
    text = CONFIG.format(state=tmp_path, port=1)
    config.write_text(text.replace("folder: out", "foldr: out"))

    with pytest.raises(AssertionError, match=r"78[\s\S]*gateway.yaml:9:\d+: sinks.files.foldr"):
        run(gateway, "check", "-c", config)


async def serve_bank(
    heard: list[str], *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """A Paperbank that tells one balance to whoever logs in."""

    async def greet(request: trio_websocket.WebSocketRequest) -> None:
        websocket = await request.accept()
        heard.append(await websocket.get_message())
        for told in ({"hello": True}, {"asset": "btc", "free": "1.50", "locked": "0.25"}):
            await websocket.send_message(json.dumps(told))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        serve = partial(trio_websocket.serve_websocket, greet, "127.0.0.1", 0, ssl_context=None)
        server = await nursery.start(serve)
        task_status.started(server.port)


async def test_they_carry_events(gateway: Path, tmp_path: Path):
    """What the venue tells lies in the sink's folder, with the digits as they were."""
    heard: list[str] = []
    async with trio.open_nursery() as nursery:
        port = await nursery.start(serve_bank, heard)
        config = tmp_path / "gateway.yaml"
        config.write_text(CONFIG.format(state=tmp_path / "state", port=port))
        start = partial(
            trio.run_process, [gateway, "run", "-c", config],
            env={"PAPERBANK_TOKEN": "open-sesame"}, capture_stderr=True,
        )  # fmt: skip
        daemon = await nursery.start(start)

        await wait_until(lambda: bool(balances(tmp_path)), 60, "a balance in the folder")
        daemon.terminate()
        await daemon.wait()
        nursery.cancel_scope.cancel()

    [balance] = balances(tmp_path)
    assert {"asset": "BTC", "available": "1.50", "held": "0.25", "total": "1.75"}.items() <= (
        balance.items()
    )
    assert '{"token": "open-sesame"}' in heard


def balances(directory: Path) -> list[dict[str, str]]:
    """The balance events in the sink's folder."""
    files = (directory / "state" / "out").glob("*.json")
    events = [json.loads(path.read_text()) for path in files]
    return [event["balance"] for event in events if event["kind"] == "balance"]
