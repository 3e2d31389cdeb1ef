"""A venue and a sink by somebody else: the packages of docs/examples, built and installed."""

import json
import os
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.ops.distributions import REPOSITORY, Distributions, copy_tracked, make_venv, run
from tests.ops.guides import commands, follow, script
from tests.ops.paperbank_server import TOKEN, Bank, open_bank
from tests.scenarios.rig import wait_until

pytestmark = [pytest.mark.scenarios, pytest.mark.timeout(600)]

CONFIG = """\
state_dir: {state}
http: null
accounts:
  till:
    venue: paperbank
    url: ws://127.0.0.1:{port}/
    rest: http://127.0.0.1:{rest_port}
    token: {{env: PAPERBANK_TOKEN}}
sinks:
  files: {{type: folder, folder: out, start: earliest}}
"""


@pytest.fixture(scope="module")
def gateway(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, in a venv that has the wheel and, as docs/extending.md says, both packages."""
    venv = tmp_path_factory.mktemp("third-party") / "venv"
    binaries = make_venv(venv, distributions.wheel)
    text = script(commands(REPOSITORY / "docs/extending.md"))
    path = {"PATH": f"{binaries}:{os.environ['PATH']}"}
    assert "Paperbank" in follow(text, copy_tracked(venv.parent / "clone"), path)
    return binaries / "gateway"


def test_they_are_offered_like_ours(gateway: Path, tmp_path: Path):
    """`list` and `explain` know them."""
    assert "paperbank" in run(gateway, "list", "venues", cwd=tmp_path)
    assert "Where the files go" in run(gateway, "explain", "folder", cwd=tmp_path)


def test_their_options_are_checked_like_ours(gateway: Path, tmp_path: Path):
    """A misspelt option has its line, its column and a hint."""
    config = tmp_path / "gateway.yaml"
    text = CONFIG.format(state=tmp_path, port=1, rest_port=1)
    config.write_text(text.replace("folder: out", "foldr: out"))

    with pytest.raises(AssertionError, match=r"78[\s\S]*gateway.yaml:10:\d+: sinks.files.foldr"):
        run(gateway, "check", "-c", config)


async def test_they_carry_events(gateway: Path, tmp_path: Path):
    """What the venue tells lies in the sink's folder, with the digits as they were."""
    async with open_bank() as bank, trio.open_nursery() as nursery:
        daemon = await nursery.start(partial(run_daemon, gateway, bank, tmp_path))

        await wait_until(lambda: len(balances(tmp_path)) == 2, 60, "two balances in the folder")
        daemon.terminate()
        await daemon.wait()
        nursery.cancel_scope.cancel()

    assert {"BTC": "1.75", "EUR": "7.10"} == {
        balance["asset"]: balance["total"] for balance in balances(tmp_path)
    }


async def run_daemon(
    gateway: Path,
    bank: Bank,
    directory: Path,
    *,
    task_status: trio.TaskStatus[trio.Process] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run the installed gateway on a bank, until terminated."""
    config = directory / "gateway.yaml"
    state = directory / "state"
    config.write_text(CONFIG.format(state=state, port=bank.port, rest_port=bank.rest.port))
    await trio.run_process(
        [gateway, "run", "-c", config],
        env={"PAPERBANK_TOKEN": TOKEN}, capture_stderr=True, task_status=task_status,
    )  # fmt: skip


def balances(directory: Path) -> list[dict[str, str]]:
    """The balance events in the sink's folder."""
    files = (directory / "state" / "out").glob("*.json")
    events = [json.loads(path.read_text()) for path in files]
    return [event["balance"] for event in events if event["kind"] == "balance"]
