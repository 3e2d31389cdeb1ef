"""Guides as a reader follows them: their `sh` blocks, one shell, top to bottom.

A command that lasts (a daemon, a live view) is started as in a terminal of its own,
must say something, stays while the reader goes on, and is ended by Ctrl-C at the end of
the page. Words in capitals are filled in. A line with ``# by hand: REASON`` is left out.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BY_HAND = re.compile(r"# by hand: \w+")
LASTING = (
    "gateway run",
    "gateway simulate",
    "gateway tail -f",
    "gateway top",
    "journalctl -u gateway -f",
)
SCREENS = ("gateway top",)
"""Those that want a terminal."""
PATIENCE_SECONDS = 60
"""For a lasting command to say something."""

ENDED = "the guide ended well"
PROLOGUE = f"""\
set -eum
pids=()
in_another_terminal() {{  # FILE COMMAND: start it, and go on once it has said something
    eval "exec $2" >"$1" 2>"$1.errors" &
    pids+=($!)
    for _ in $(seq {PATIENCE_SECONDS}0); do
        if [ -s "$1" ] || grep -qs gateway_ready "$1.errors"; then return 0; fi
        kill -0 "${{pids[-1]}}" || break
        sleep 0.1
    done
    cat "$1.errors" "$1" >&2
    return 1
}}
"""
EPILOGUE = f"""\
for ((at=${{#pids[@]}}-1; at>=0; at--)); do  # the newest first, as their owners would
    kill -INT "${{pids[at]}}"
    wait "${{pids[at]}}" || [ $? = 130 ]
done
echo "{ENDED}"
"""


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of a page, in order."""
    return [text for name, text in BLOCK.findall(page.read_text()) if name == language]


def commands(page: Path) -> list[str]:
    """Every command of a page, in order; those by hand left out."""
    text = "".join(blocks(page, "sh")).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not BY_HAND.search(line)]


def script(lines: Iterable[str], words: Mapping[str, str] = MappingProxyType({})) -> str:
    """A shell script that does what the reader does."""
    said = [PROLOGUE]
    blanks = re.compile(rf"\b({'|'.join(words) or '(?!)'})\b")
    for number, line in enumerate(lines):
        filled = blanks.sub(lambda blank: words[blank[1]], line)
        lasts = filled.startswith(LASTING)
        said.append(_lasting(filled, f"terminal-{number}") if lasts else filled)
    return "\n".join([*said, EPILOGUE])


def _lasting(line: str, name: str) -> str:
    command, _, file = line.partition("#")[0].strip().partition(" > ")
    if command.startswith(SCREENS):
        command = f'script -qfec "{command}" /dev/null'
    started = f"in_another_terminal {file or name} '{command}'"
    if command.startswith("gateway run"):
        asked = command.replace("gateway run", "gateway status")
        return f"{started}\nuntil {asked} >/dev/null; do sleep 0.2; done"
    return started


def follow(text: str, directory: Path, environment: Mapping[str, str]) -> str:
    """Run a script in a folder; what it printed. It must end well."""
    done = subprocess.run(
        # A test run in the background ignores Ctrl-C, and what it starts would too.
        ["env", "--default-signal=INT", "bash", "-x", "-c", text],
        cwd=directory, env=os.environ | environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = done.stdout[-4000:] + done.stderr[-4000:]
    assert done.returncode == 0, told
    assert ENDED in done.stdout, told
    return done.stdout
