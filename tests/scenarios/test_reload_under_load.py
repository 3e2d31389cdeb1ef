"""Row 21: the configuration is changed, or broken, while events flow."""

from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from gateway.admin.model import ReloadResult
from tests.scenarios.oracle import Verdict
from tests.scenarios.outside import gateway, reload
from tests.scenarios.results import Form, Results
from tests.scenarios.rig import Rig, open_rig, wait_until

FORMS = [
    pytest.param(Form.SHORT, 16, id="short"),
    pytest.param(Form.CI, 100, id="ci", marks=[pytest.mark.scenarios, pytest.mark.timeout(1500)]),
    pytest.param(Form.SOAK, 500, id="soak", marks=[pytest.mark.soak, pytest.mark.timeout(0)]),
]
PAGE_RELOADS = 104
"""So many are judged together: each edit as often as the others."""
RATE = 20.0
CHANGED = "fmex-2"
"""The only account that is ever touched."""
UNTOUCHED = ("lbank-1", "lbank-2", "fmex-1")


class Editor:
    """Edits gateway.yaml as a person would, and reloads."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.done: Counter[str] = Counter()

    async def change_nothing(self) -> None:
        """Reload the file as it is."""
        await self._expect()

    async def add_sink(self) -> None:
        """A second file."""
        self.rig.sinks["extra"] = "{type: jsonl, path: extra.jsonl}"
        await self._expect(added=("sink:extra",))

    async def change_sink(self) -> None:
        """Let it take fills only."""
        self.rig.sinks["extra"] = "{type: jsonl, path: extra.jsonl, kinds: [fill]}"
        await self._expect(changed=("sink:extra",))

    async def remove_sink(self) -> None:
        """Away with it."""
        del self.rig.sinks["extra"]
        await self._expect(removed=("sink:extra",))

    async def change_account(self) -> None:
        """Keep two connections, or one again."""
        was = self.rig.patches.pop(CHANGED, None)
        if was is None:
            self.rig.patches[CHANGED] = "    connections: 2\n"
        await self._expect(changed=(f"account:{CHANGED}",))
        await self._wait_connected()

    async def remove_account(self) -> None:
        """Away with it; the oracle still asks what became of its events."""
        account = self.rig.accounts.pop(CHANGED)
        try:
            await self._expect(removed=(f"account:{CHANGED}",))
        finally:
            self.rig.accounts[CHANGED] = account

    async def add_account(self) -> None:
        """There it is again."""
        await self._expect(added=(f"account:{CHANGED}",))
        await self._wait_connected()

    async def break_file(self) -> None:
        """A misspelt key: refused, told why, and nothing of it takes effect."""
        config = self.rig.daemon.config
        whole = config.read_text()
        before = self.rig.daemon.status()["sinks"].keys()
        line = whole.splitlines().index("sinks:") + 2
        config.write_text(
            whole.replace("sinks:\n", "sinks:\n  new: {type: jsonl, pth: new.jsonl}\n")
        )
        said = await gateway(self.rig, "reload")
        config.write_text(whole)
        assert said.exit_code == 1
        assert f"{config.name}:{line}:" in said.err
        assert 'pth: unknown key (did you mean "path"?)' in said.err
        assert self.rig.daemon.status()["sinks"].keys() == before

    async def _wait_connected(self) -> None:
        wanted = 2 if CHANGED in self.rig.patches else 1
        await self.rig.wait_live()
        await wait_until(lambda: wanted == self._connections(), what=f"{wanted} connections")

    def _connections(self) -> int:
        count: int = self.rig.daemon.status()["accounts"][CHANGED]["connections"]
        return count

    async def _expect(self, **words: tuple[str, ...]) -> None:
        self.rig.write_config()
        result = await reload(self.rig)
        assert result == ReloadResult(ok=True, message=result.message, **words)


@pytest.mark.parametrize(("form", "reloads"), FORMS)
async def test_reload_under_load(tmp_path: Path, results: Results, form: Form, reloads: int):
    """Whatever is reloaded, nothing is lost, and what did not change keeps its connections."""
    async with open_rig(tmp_path) as rig:
        await rig.daemon.start()
        await rig.wait_live()
        editor = Editor(rig)
        edits: list[Callable[[], Awaitable[None]]] = [
            editor.change_nothing, editor.add_sink, editor.change_sink, editor.break_file,
            editor.remove_sink, editor.change_account, editor.remove_account, editor.add_account,
        ]  # fmt: skip
        total = Verdict()
        for begin in range(0, reloads, PAGE_RELOADS):
            rig.set_rate(RATE)
            for number in range(begin, min(begin + PAGE_RELOADS, reloads)):
                await try_edit(rig, edits[number % len(edits)])
                editor.done[edits[number % len(edits)].__name__] += 1
            rig.write_config()
            await reload(rig)
            await rig.wait_quiet()
            for name in UNTOUCHED:
                assert {stream["status"] for stream in rig.streams(name)} <= {"live"}
            assert {"gap_opened", "stopped", "gap_closed"} <= {
                stream["status"] for stream in rig.streams(CHANGED)
            }
            total.add(await rig.turn_page())
        assert total.repeats == 0
        accounts = rig.daemon.status()["accounts"]
        assert dict.fromkeys(UNTOUCHED, 0) == {n: accounts[n]["reconnects"] for n in UNTOUCHED}
        results.note(
            21, "reload under load", form, reloads=reloads, events=total.events, missing=0,
            refused_broken_files=editor.done["break_file"],
            connections_of_unchanged_accounts=len(UNTOUCHED),
        )  # fmt: skip


async def try_edit(rig: Rig, edit: Callable[[], Awaitable[None]]) -> None:
    """Do it, and see that nobody else's connections were touched."""
    met = {name: venue.connections_met for name, venue in rig.venues.items()}
    with trio.fail_after(60):
        await edit()
    now = {name: venue.connections_met for name, venue in rig.venues.items()}
    assert met["lbank"] == now["lbank"]
    if "account" not in edit.__name__:
        assert met == now
