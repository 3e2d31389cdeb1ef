"""What stands in the documents works: links, commands, configurations."""

import re
from pathlib import Path

import pytest

from gateway.cli import COMMANDS
from gateway.config import load_config
from tests.ops.distributions import REPOSITORY
from tests.ops.guides import blocks, commands

PAGES = sorted(
    path
    for folder in (".", "docs", "docs/monitoring", "docs/sinks", "docs/scenarios", "systemd")
    for path in (REPOSITORY / folder).glob("*.md")
)
FOLLOWED = {
    "README.md": "test_guides.py",
    "docs/getting-started.md": "test_guides.py",
    "docs/operations.md": "test_guides.py, and test_debian_package.py what needs root",
    "docs/extending.md": "test_third_party.py",
    "systemd/README.md": "test_service_guide.py",
}
"""Which page is followed by which test."""
LINK = re.compile(r"\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")


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
    for line in commands(page):
        for word in re.findall(r"(?:^|[$;&] |sudo )gateway ([a-z]+)", line):
            assert word in COMMANDS, word


@pytest.mark.parametrize(
    "page", sorted((REPOSITORY / "docs" / "sinks").glob("*.md")), ids=lambda page: page.stem
)
def test_every_example_of_a_sink_is_good(page: Path, tmp_path: Path):
    """What a page shows to copy is a configuration without a mistake."""
    examples = [text for text in blocks(page, "yaml") if text.startswith("sinks:")]
    file = tmp_path / "gateway.yaml"
    for text in examples:
        file.write_text(f"accounts: {{}}\n{text}")
        assert {page.stem} == {sink.options.type for sink in load_config(file).sinks.values()}

    assert examples


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_somebody_follows_the_page(page: Path):
    """A page with commands is one that a test follows, and hides none in another language."""
    if commands(page):
        assert str(page.relative_to(REPOSITORY)) in FOLLOWED
    assert not blocks(page, "console") + blocks(page, "bash") + blocks(page, "shell")


def test_every_alert_is_explained():
    """Each alert rule has a row that says what it means and what to do."""
    folder = REPOSITORY / "docs" / "monitoring"
    alerts = re.findall(r"alert: (\w+)", (folder / "alerts.yml").read_text())

    assert alerts
    assert not [name for name in alerts if f"`{name}`" not in (folder / "README.md").read_text()]
