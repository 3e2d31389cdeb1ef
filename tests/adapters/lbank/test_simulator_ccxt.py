"""A client that nobody here wrote believes that the pretend LBank is LBank."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from adapters.lbank.simulator import SIMULATOR as LBANK
from gateway.simulator import QUIET, FactKind, open_simulator

SCRIPT = Path(__file__).with_name("ccxt_client.py")


async def test_ccxt_logs_in_and_trades():
    """Ccxt loads markets, logs in, hears orders and balances, reads and trades by REST."""
    pytest.importorskip("ccxt")
    async with open_simulator(LBANK, scenario=QUIET) as simulator:
        api_key, secret = simulator.credentials[0]
        done = await trio.run_process(
            [
                sys.executable,
                str(SCRIPT),
                simulator.rest_url,
                simulator.websocket_url,
                api_key,
                secret,
            ],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        told = json.loads(done.stdout)
        orders = simulator.truth.last(0, FactKind.ORDER)
        fills = simulator.truth.of(0, FactKind.FILL)
        held = {one["asset"]: float(one["total"]) for one in simulator.state()["balances"]}
    assert {"ETH/BTC", "BTC/USDT", "ETH/USDT", "LBK/USDT"} <= set(told["markets"])
    assert told["seen"] == [told["placed"], "open", "buy", "mine"]
    assert told["waiting"] == [told["placed"]]
    assert set(told["history"]) == orders.keys() == {told["placed"], told["bought"]}
    assert set(told["trades"]) == {fill.told["fill_id"] for fill in fills}
    assert [told["bought"], "2"] in told["pushed"]
    assert [told["placed"], "-1"] in told["pushed"]
    assert told["weighed"]
    assert told["balance"]["BTC"] == held["BTC"]


async def test_the_process_is_ours(tmp_path: Path):
    """Without a server ccxt fails, so that the test above proves something."""
    with pytest.raises(subprocess.CalledProcessError):
        await trio.run_process(
            [
                sys.executable,
                str(SCRIPT),
                "http://127.0.0.1:9",
                "ws://127.0.0.1:9",
                "key",
                "secret",
            ],
            capture_stderr=True,
        )
