"""`gateway simulate`, as a person runs it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trio
import yaml

from gateway.__main__ import main


async def start(*arguments: str) -> tuple[trio.Process, str]:
    """Start the command, and read what it prints up to the end of the introduction."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "gateway", "simulate", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    text = ""
    with trio.fail_after(60):
        while "endpoints" not in text:
            piece = await process.stdout.receive_some()
            assert piece, (await process.stderr.receive_some()).decode()  # type: ignore[union-attr] # piped
            text += piece.decode()
    return process, text


@pytest.mark.parametrize("venue", ["lbank", "fmex"])
async def test_it_serves_until_interrupted(venue: str):
    """It prints addresses and a section for gateway.yaml, answers, and ends with 0 on Ctrl-C."""
    process, text = await start(venue, "--accounts", "1", "--seed", "3")
    rest = re.search(r"REST +(http://\S+)", text)
    assert rest is not None
    [account] = yaml.safe_load(text)["accounts"].values()
    assert account["venue"] == venue
    assert account["endpoints"]["rest"] == rest[1]
    async with httpx.AsyncClient(base_url=rest[1]) as client:
        assert "GET /_sim/faults" in (await client.get("/_sim")).json()
    process.send_signal(signal.SIGINT)
    with trio.fail_after(60):
        assert await process.wait() == 0
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        await pipe.aclose()


def test_switches_are_explained(capsys: pytest.CaptureFixture[str]):
    """Each switch is shown with its words, its default and what it is about."""
    assert main(["simulate", "lbank", "--switches"]) == 0
    shown = capsys.readouterr().out
    assert "push_form: today (2019 | today)\n    The order push of the 2019 page" in shown
    assert shown.count("\n    ") == len(re.findall(r"^\w+:", shown, re.MULTILINE))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["lbnk"], 2, "did you mean"),
        (["lbank", "--listen", "9000"], 2, "HOST:PORT"),
        (["lbank", "--listen", "127.0.0.1:99999"], 2, "HOST:PORT"),
        (["lbank", "--listen", "192.0.2.1:9000"], 1, "cannot listen on 192.0.2.1:9000"),
        (["lbank", "--accounts", "0"], 2, "0 is not in the range"),
        (["lbank", "--scenario", "missing.yaml"], 78, "missing.yaml: cannot be read"),
        (["lbank", "--scenario", "{fmex}"], 78, "this scenario is for fmex, not for lbank"),
        (["lbank", "--scenario", "{bad}"], 78, "bad.yaml:1:7: rate: Expected `float`"),
    ],
)
def test_mistakes_are_told(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
):
    """A mistake gives one clear message and the exit code of its kind."""
    (tmp_path / "fmex.yaml").write_text("venue: fmex")
    (tmp_path / "bad.yaml").write_text("rate: fast")
    places = {"fmex": str(tmp_path / "fmex.yaml"), "bad": str(tmp_path / "bad.yaml")}
    assert main(["simulate", *(word.format(**places) for word in arguments)]) == code
    assert message in capsys.readouterr().err
