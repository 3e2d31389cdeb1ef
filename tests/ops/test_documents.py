"""What stands in the documents works: links, commands, configurations."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import COMMANDS
from gateway.config import load_config
from tests.ops.distributions import REPOSITORY

PAGES = sorted(
    path
    for folder in (".", "docs", "docs/monitoring", "docs/sinks", "docs/scenarios", "systemd")
    for path in (REPOSITORY / folder).glob("*.md")
)
GUIDES = [REPOSITORY / "docs" / name for name in ("getting-started.md", "operations.md")]
LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of a page, in order."""
    return [text for name, text in BLOCK.findall(page.read_text()) if name == language]


def anchors(page: Path) -> set[str]:
    """Of each heading, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path):
    """Files and headings that a page names are there."""
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in LINK.findall(text):
        if "://" in target or target.startswith("mailto:"):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_command_exists(page: Path):
    """Each `gateway WORD` in a block of commands is a command of this version."""
    for text in blocks(page, "sh") + blocks(page, "console"):
        for word in re.findall(r"(?:^|[$;&] |sudo )gateway ([a-z]+)", text, re.MULTILINE):
            assert word in COMMANDS, word


@pytest.mark.timeout(300)
def test_the_guides_run_as_they_stand(tmp_path: Path):
    """Their `sh` blocks, top to bottom, in an empty folder: no command fails."""
    [example] = blocks(GUIDES[0], "yaml")
    (tmp_path / "gateway.yaml").write_text(example)
    (tmp_path / "docs").symlink_to(REPOSITORY / "docs")
    script = "\n".join(text for page in GUIDES for text in blocks(page, "sh"))
    secrets = {"LBANK_API_KEY": "key", "LBANK_SECRET": "secret"}
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    done = subprocess.run(
        ["sh", "-eux", "-c", script],
        cwd=tmp_path, env=os.environ | secrets | path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "0 findings" in done.stdout


def test_the_services_configuration_is_good(monkeypatch: pytest.MonkeyPatch):
    """What the install script puts into /etc/gateway loads, and names its state directory."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)

    config = load_config(REPOSITORY / "systemd" / "gateway.yaml")

    assert Path("/var/lib/gateway") == config.state_dir
    assert [str(each.message) for each in config.warnings] == ["no account is enabled"]


def test_the_unit_files_differ_in_the_instance_only():
    """What holds for one gateway holds for several."""
    one, several = (
        [
            line
            for line in (REPOSITORY / "systemd" / name).read_text().splitlines()
            if line and not line.startswith("#")
        ]
        for name in ("gateway.service", "gateway@.service")
    )
    same = [line for line in several if "%i" not in line]

    assert len(one) == len(several)
    assert [line for line in one if line in same] == same
    assert {line.split("=")[0] for line in several if "%i" in line} == {
        "Description", "ExecStart", "ExecReload", "User", "StateDirectory", "RuntimeDirectory",
    }  # fmt: skip


def test_every_alert_is_explained():
    """Each alert rule has a row that says what it means and what to do."""
    folder = REPOSITORY / "docs" / "monitoring"
    alerts = re.findall(r"alert: (\w+)", (folder / "alerts.yml").read_text())

    assert alerts
    assert not [name for name in alerts if f"`{name}`" not in (folder / "README.md").read_text()]
