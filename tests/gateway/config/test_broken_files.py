"""Broken configurations: all mistakes at once, each with its place and no value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import InvalidConfiguration, load_config
from gateway.registry import sink_names

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("broken.yaml").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_every_mistake_is_told_with_its_place(
    case: dict[str, Any], write: Callable[..., Path]
) -> None:
    """A broken file gives exactly the expected lines, in the order of the file."""
    path = write(case["text"])

    with pytest.raises(InvalidConfiguration) as caught:
        load_config(path)

    lines = str(caught.value).splitlines()
    told = [line.replace(f"{path}:", "", 1).replace(str(path.parent), "DIR") for line in lines]
    # What is installed beside our own sinks is not this test's to know.
    told = [
        line.replace(f"installed: {', '.join(sink_names())}", "installed: SINKS") for line in told
    ]
    assert case["expect"] == told
    assert all(line.startswith(f"{path}:") for line in lines)
    assert "hunter2" not in str(caught.value)


def test_there_are_enough_broken_files() -> None:
    """The table is no sample: at least 80 ways to be wrong."""
    assert len(CASES) >= 80
    assert len(CASES) == len({case["name"] for case in CASES})


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"name: \xff\n", "1:7: not UTF-8 text (save the file in UTF-8)"),
        (b"log: {}\nname: gr\xfc\xdfe\n", "2:9: not UTF-8 text (save the file in UTF-8)"),
        ("name: a\n".encode("utf-16"), "1:1: not UTF-8 text (save the file in UTF-8)"),
        (b"name: a\x00b\n", "1:8: not valid YAML: a character that YAML does not allow"),
        (b"[" * 100_000, "1:22: not valid YAML: nested too deeply"),
        (b"{a: " * 100_000, "1:82: not valid YAML: nested too deeply"),
        (b"#" * (33 << 20), "1:1: larger than 33554432 bytes: not a configuration"),
    ],
    ids=["latin-1", "latin-1 later", "utf-16", "NUL", "brackets", "braces", "huge"],
)
def test_bytes_that_are_no_yaml(data: bytes, line: str, tmp_path: Path) -> None:
    """Bytes that no editor of ours wrote are a mistake with a place, whatever they are."""
    path = tmp_path / "gateway.yaml"
    path.write_bytes(data)

    with pytest.raises(InvalidConfiguration) as caught:
        load_config(path)

    assert f"{path}:{line}" == str(caught.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none.yaml", "No such file or directory"), (".", "Is a directory")],
)
def test_a_file_that_cannot_be_read(name: str, reason: str, tmp_path: Path) -> None:
    """A missing file or a directory is a mistake like any other."""
    path = tmp_path / name

    with pytest.raises(InvalidConfiguration, match=f":1:1: cannot be read: {reason}"):
        load_config(path)


def test_an_utf8_mark_at_the_start_is_no_mistake(tmp_path: Path) -> None:
    """Windows editors put a byte order mark there; it means nothing."""
    path = tmp_path / "gateway.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: desk\n")

    assert load_config(path).name == "desk"
