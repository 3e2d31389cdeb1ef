"""What comes out of a valid configuration."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.admin.settings import TcpAddress, UnixAddress
from gateway.config import Config, InvalidConfiguration, default_path, load_config
from gateway.contracts.values import Bytes, Seconds, Secret
from gateway.events.model import Kind

Write = Callable[..., Path]

ACCOUNT = """\
    venue: acme
    credentials: {api_key: {env: K}, secret: {env: S}}
"""


def load_account(write: Write, options: str) -> Any:
    """The account that has these options beside the necessary ones."""
    return load_config(write(f"accounts:\n  a:\n{ACCOUNT}{options}")).accounts["a"]


def mistakes_of(path: Path) -> list[str]:
    """The lines of mistakes, without folder names."""
    with pytest.raises(InvalidConfiguration) as caught:
        load_config(path)
    return str(caught.value).replace(f"{path.parent}{os.sep}", "").splitlines()


def test_defaults_of_the_top_level(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out has the value that the contract names."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)

    config = load_config(write("accounts: {}\n"))

    assert socket.gethostname() == config.name
    assert Path.cwd() / "var" == config.state_dir
    assert config.heartbeat is None
    assert (config.log.level, config.log.format) == ("info", "auto")
    assert TcpAddress("127.0.0.1", 8780) == config.http.address
    assert Seconds(14 * 86400) == config.journal.retain.age
    assert Bytes(10 << 30) == config.journal.retain.size
    assert config.journal.durability == "fsync"
    assert Seconds(10) == config.shutdown.drain


def test_systemd_names_the_state_directory(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """$STATE_DIRECTORY is the default of state_dir."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/gateway")

    assert load_config(write("name: x\n")).state_dir == Path("/var/lib/gateway")


@pytest.mark.parametrize("text", ["http: null\n", "http: {listen: null}\n"])
def test_http_can_be_switched_off(text: str, write: Write) -> None:
    """Both ways to say that nothing is served mean the same."""
    assert load_config(write(text)).http.address is None


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:0", TcpAddress("127.0.0.1", 0)),
        ("'[::1]:8780'", TcpAddress("::1", 8780)),
        ("localhost:8780", TcpAddress("localhost", 8780)),
        ("unix:/run/gateway/http.sock", UnixAddress("/run/gateway/http.sock")),
    ],
)
def test_forms_of_listen(listen: str, address: object, write: Write) -> None:
    """TCP by name, IPv4 and IPv6, and unix sockets."""
    assert load_config(write(f"http: {{listen: {listen}}}\n")).http.address == address


def test_text_is_taken_as_written(write: Write) -> None:
    """YAML 1.1 would make false, 8, 750 and a date of these."""
    account = load_account(write, "    pairs: [no, 010, 12:30, 2026-11-02, 1_0, 1e3, 'null']\n")

    expected = ("no", "010", "12:30", "2026-11-02", "1_0", "1e3", "null")
    assert expected == account.settings.pairs


@pytest.mark.parametrize(
    ("written", "pairs"), [("all", "all"), ("[all]", ("all",)), ("[]", ()), ("[a, b]", ("a", "b"))]
)
def test_a_word_or_a_list(written: str, pairs: object, write: Write) -> None:
    """Where either is allowed, both arrive as they are."""
    assert load_account(write, f"    pairs: {written}\n").settings.pairs == pairs


def test_decimals_keep_their_digits(write: Write) -> None:
    """A decimal is never a float on the way."""
    assert load_account(write, "    lot: 0.10000000000000000001\n").settings.lot == (
        "0.10000000000000000001"
    )


@pytest.mark.parametrize(("word", "value"), [("yes", True), ("off", False), ("True", True)])
def test_booleans_in_any_yaml_spelling(word: str, value: bool, write: Write) -> None:
    """Where only true or false can be meant, YAML's other words for them are understood."""
    assert load_account(write, f"    enabled: {word}\n").options.enabled is value


def test_every_kind_of_option(write: Write) -> None:
    """Durations, sizes, enums, maps, lists and paths arrive typed."""
    options = (
        "    key: {life: 90m}\n    buffer: 2MiB\n    speed: fast\n    names: {one: 1}\n"
        "    desks: [1, 2]\n    log_file: /tmp/x\n    weight: 0.25\n    depth: 50\n"
    )

    settings = load_account(write, options).settings

    assert Seconds(5400) == settings.key.life
    assert Seconds(1800) == settings.key.refresh
    assert Bytes(2 << 20) == settings.buffer
    assert settings.speed == "fast"
    assert settings.names == {"one": 1}
    assert settings.desks == (1, 2)
    assert Path("/tmp/x") == settings.log_file
    assert (settings.weight, settings.depth) == (0.25, 50)


def test_streams_default_to_all_of_the_venue(write: Write) -> None:
    """An account that names no stream follows each one, by name."""
    assert load_account(write, "").options.streams == ("orders", "balances")


def test_sink_options_and_its_own(write: Write) -> None:
    """A sink gets the options of every sink and those of its type."""
    text = "sinks:\n  p: {type: pigeon, lofts: [{street: x, birds: 2}], kinds: [fill], timeout: 3s}"

    sink = load_config(write(text)).sinks["p"]

    assert sink.options.kinds == (Kind.FILL,)
    assert Seconds(3) == sink.options.timeout
    assert (sink.settings.lofts[0].street, sink.settings.lofts[0].birds) == ("x", 2)  # type: ignore[attr-defined] # of this sink


def test_defaults_are_merged_under_an_account(write: Write) -> None:
    """An account's own options win key by key; lists and secrets are replaced whole."""
    text = f"""\
defaults:
  acme:
    credentials: {{secret: {{env: SHARED}}, signature: rsa}}
    key: {{life: 90m, refresh: 20m}}
    pairs: [eth_btc]
    connections: 2
accounts:
  plain:
    venue: acme
    credentials: {{api_key: {{env: K}}}}
  own:
{ACCOUNT}    key: {{refresh: 10m}}
    pairs: [btc_usdt]
    connections: 1
"""
    accounts = load_config(write(text)).accounts

    plain: Any = accounts["plain"].settings
    assert Secret("env", "SHARED") == plain.credentials.secret
    assert (plain.credentials.signature, plain.pairs) == ("rsa", ("eth_btc",))
    assert accounts["plain"].options.connections == 2
    own: Any = accounts["own"].settings
    assert Secret("env", "S") == own.credentials.secret
    assert (Seconds(5400), Seconds(600)) == (own.key.life, own.key.refresh)
    assert own.pairs == ("btc_usdt",)
    assert accounts["own"].options.connections == 1


def test_included_files_bring_accounts_and_sinks(write: Write) -> None:
    """Patterns are read in order of name, beside the main file; each file once."""
    write(f"accounts:\n  b:\n{ACCOUNT}", "accounts.d/2.yaml")
    write(f"accounts:\n  a:\n{ACCOUNT}sinks: {{c: {{type: console}}}}\n", "accounts.d/1.yaml")
    text = "include: ['accounts.d/*.yaml', accounts.d/1.yaml, 'none.d/*.yaml']\n"

    config = load_config(write(text))

    assert list(config.accounts) == ["a", "b"]
    assert list(config.sinks) == ["c"]
    assert [path.name for path in config.files] == ["gateway.yaml", "1.yaml", "2.yaml"]


def test_one_name_in_two_files(write: Write) -> None:
    """An account that two files configure is a mistake that names both places."""
    write(f"accounts:\n  a:\n{ACCOUNT}", "more.yaml")
    main = write(f"include: [more.yaml]\naccounts:\n  a:\n{ACCOUNT}")

    assert mistakes_of(main) == [
        "more.yaml:2:3: accounts.a: this name stands here and at gateway.yaml:3:3"
    ]


def test_an_included_file_holds_nothing_else(write: Write) -> None:
    """Top-level settings have one place: the main file."""
    write("log: {level: debug}\n", "more.yaml")

    assert mistakes_of(write("include: [more.yaml]\n")) == [
        "more.yaml:1:1: log: an included file holds accounts and sinks, nothing else"
    ]


def test_mistakes_of_all_files_at_once(write: Write) -> None:
    """A mistake in one file hides none in another."""
    write("accounts: {A: {venue: nowhere}}\n", "more.yaml")

    lines = mistakes_of(write("include: [more.yaml]\nlog: {level: loud}\n"))

    assert [line.split(": ")[0] for line in lines] == [
        "gateway.yaml:2:14",
        "more.yaml:1:12",
        "more.yaml:1:23",
    ]


def test_a_sink_may_name_an_account_of_an_included_file(write: Write) -> None:
    """Filters are checked against the accounts of all files."""
    write(f"accounts:\n  a:\n{ACCOUNT}", "more.yaml")

    config = load_config(
        write("include: [more.yaml]\nsinks: {s: {type: console, accounts: [a]}}\n")
    )

    assert config.sinks["s"].options.accounts == ("a",)


def test_where_the_configuration_is_looked_for(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current directory comes first."""
    path = write("name: here\n")
    monkeypatch.chdir(path.parent)

    assert default_path() == Path("gateway.yaml")


def test_a_thousand_accounts(write: Write) -> None:
    """Size is no obstacle: every account of a large desk is there."""
    accounts = "".join(f"  a{number}:\n{ACCOUNT}" for number in range(1000))

    config: Config = load_config(write(f"accounts:\n{accounts}"))

    assert len(config.accounts) == 1000
